"""What clips are called that are made for others, and what they depend on."""

import pytest

from savg_ray.errors import UserError
from savg_ray.generation.given_clips import clips_for
from savg_ray.generation.sampling import Sampling
from tests.generation.test_sampling import write


def given(folder, **contents):
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / f"{name}.mp4").write_text(content)
    return sorted(folder.glob("*.mp4"))


def clips(paths, out, seed=0, identity="made so"):
    return {clip.id: clip for clip in clips_for(paths, out, seed, identity)}


def test_a_clip_belongs_to_what_the_file_holds(tmp_path):
    first = clips(given(tmp_path / "a", one="1", two="2"), tmp_path)
    again = clips(given(tmp_path / "b", two="2", three="3", uno="1"), tmp_path)
    assert (first["one"].index, first["one"].identity) == (again["uno"].index, again["uno"].identity)
    assert first["two"].index == again["two"].index != first["one"].index
    assert 0 <= first["one"].index < 2**63
    assert first["one"].path == tmp_path / "clips" / "one.mp4"
    identities = {first["one"].identity, first["two"].identity}
    identities |= {clips(given(tmp_path / "a"), tmp_path, seed=1)["one"].identity}
    identities |= {clips(given(tmp_path / "a"), tmp_path, identity="made otherwise")["one"].identity}
    assert len(identities) == 4


def test_files_that_cannot_be_used_fail_alone(tmp_path):
    (tmp_path / "folder.mp4").mkdir()
    below = given(tmp_path / "below", same="1")
    paths = [*given(tmp_path, good="1", same="2", empty=""), *below]
    found = clips(paths, tmp_path / "out")
    assert {name: clip.reason for name, clip in found.items()} == {
        "folder": "not_a_file", "good": "", "same": "duplicate_name", "empty": "empty_file",
    }  # fmt: skip
    sampling = Sampling(tmp_path / "out", list(found.values()), 0, ["given", "write"])
    assert [clip.id for clip in sampling.missing] == ["good"] and len(sampling.failed) == 3
    (batch,) = sampling.batches(4, whole=False)
    assert batch["source"].tolist() == [str(tmp_path / "good.mp4")]
    assert batch["index"].tolist() == [found["good"].index]


def test_a_finished_clip_is_known_until_its_source_is_another_file(tmp_path):
    out = tmp_path / "out"
    (clip,) = clips(given(tmp_path / "a", one="1"), out).values()
    write_to = Sampling(out, [clip], 0, ["write"])
    out.mkdir()
    write(clip)
    assert write_to.missing and not Sampling(out, list(clips(given(tmp_path / "a"), out).values()), 0, []).missing
    changed = list(clips(given(tmp_path / "a", one="another"), out).values())
    with pytest.raises(UserError, match=r"out/clips/one\.mp4 was made from another .* than .*a/one\.mp4 now is"):
        Sampling(out, changed, 0, [])
