"""The bookkeeping of a run, with files written by hand."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from savg_ray.clips import Clip
from savg_ray.errors import UserError
from savg_ray.generation.sampling import Sampling, numbered_clips
from savg_ray.media.writer import write_clip
from savg_ray.sampling.written import Origin

STAGES = ("base", "write")


def sampling(folder, n, identity="made so"):
    return Sampling(folder, numbered_clips(folder, n, 5, identity), 5, STAGES)


def write(clip, identity=None):
    clip.path.parent.mkdir(exist_ok=True)
    frames, waveform = np.zeros((2, 32, 32, 3), np.uint8), np.zeros((2, 8000), np.float32)
    origin = Origin(identity or clip.identity, 12, "")
    write_clip(clip.path, Clip(clip.id, frames, 4.0, waveform, 16000), "flac", origin.comment())


def indices(batches):
    return [batch["index"].tolist() for batch in batches]


def test_a_larger_n_only_adds(tmp_path):
    for clip in sampling(tmp_path, 3).clips.values():
        write(clip)
    later = sampling(tmp_path, 5)
    assert indices(later.batches(4, whole=False)) == [[3, 4]]
    assert {clip.nfe for clip in later.clips.values() if clip.sha256} == {12}
    assert not sampling(tmp_path, 2).missing


def test_a_batch_that_is_stepped_as_one_is_made_anew_as_a_whole(tmp_path):
    clips = list(sampling(tmp_path, 12).clips.values())
    for clip in clips:
        if clip.index not in (5, 6):
            write(clip)
    later = sampling(tmp_path, 12)
    assert indices(later.batches(4, whole=True)) == [[4, 5, 6, 7]]
    assert indices(later.batches(4, whole=False)) == [[5, 6]]


def test_clips_made_otherwise_are_refused_by_name(tmp_path):
    write(next(iter(sampling(tmp_path, 1).clips.values())))
    with pytest.raises(UserError, match=r"seed5_000000\.mp4 was made from another configuration"):
        sampling(tmp_path, 1, identity="made otherwise")


def test_the_manifest_tells_what_became_of_each_clip(tmp_path):
    run = sampling(tmp_path, 3)
    (batch,) = run.batches(3, whole=False)
    batch |= {
        "reason": np.array(["", "failed", ""], object),
        "error": np.array(["", "It failed.", ""], object),
        "nfe": np.array([7, 0, 9]),
        "making_notes": np.array(["", "", "noted"], object),
        "sha256": np.array(["aa", "", "bb"], object),
    }
    assert run.take(batch) == 1
    run.flush()
    rows = pq.read_table(tmp_path / "manifest.parquet").to_pylist()
    assert [(row["clip_id"], row["ok"], row["nfe"], row["sha256"]) for row in rows] == [
        ("seed5_000000", True, 7, "aa"),
        ("seed5_000001", False, 0, ""),
        ("seed5_000002", True, 9, "bb"),
    ]
    assert rows[1]["error"] == "It failed."
    assert rows[2]["notes"] == "noted"
    assert rows[0]["path"] == "clips/seed5_000000.mp4"


def test_a_clip_that_was_made_but_not_scored_is_made(tmp_path):
    run = sampling(tmp_path, 1)
    (batch,) = run.batches(1, whole=False)
    batch |= {
        "reason": np.array(["mono"], object),
        "error": np.array(["It cannot be scored."], object),
        "nfe": np.array([7]),
        "making_notes": np.array([""], object),
        "sha256": np.array(["aa"], object),
    }
    assert run.take(batch) == 0
    assert not run.failed
    assert not run.missing
