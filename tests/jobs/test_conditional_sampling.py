"""Sound for given pictures and pictures for given sound, as commands, on a tiny network with filled weights."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from savg_ray.clips import Clip
from savg_ray.media.reader import read_clip
from savg_ray.media.writer import write_clip
from tests.sampling.tiny import write_tiny


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("config"), height_px=16, width_px=16, n_samples=400)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded")
    random = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        frames = random.integers(0, 256, (5, 4, 4, 3), np.uint8).repeat(16, axis=1).repeat(16, axis=2)
        sound = random.uniform(-0.3, 0.3, (2, 20000)).astype(np.float32)
        write_clip(folder / f"{name}.mp4", Clip(name, frames, 4.0, sound, 16000))
    return folder


@pytest.fixture
def given(recorded, tmp_path):
    return shutil.copytree(recorded, tmp_path / "given")


@pytest.fixture
def sample(savg, tiny):
    def run(way, folder, out, *more, runner="sequential"):
        common = ("--weights", "filled", "--config", tiny, "--runner", runner)
        return savg("sample", way, folder, "--out", out, *common, *more)

    return run


def contents(out):
    return {path.name: path.read_bytes() for path in sorted((out / "clips").glob("*.mp4"))}


@pytest.mark.parametrize(("way", "wanted"), [("--sound-for", "sound"), ("--pictures-for", "pictures")])
def test_each_clip_of_a_folder_gets_its_other_half(sample, given, tmp_path, way, wanted):
    out = tmp_path / "out"
    code, _, err = sample(way, given, out, "--n", 2)
    assert code == 0, err
    assert f"{wanted} for the clips of {given}: 2 steps of DDPM, replacement" in err
    assert ("weights sr" in err) == (wanted == "pictures")
    first = contents(out)
    assert list(first) == ["a.mp4", "b.mp4"]
    made, source = read_clip(out / "clips" / "a.mp4"), read_clip(given / "a.mp4")
    assert made.frames.shape == (4, 64, 64, 3) and made.waveform.shape == (2, 400)
    kept = np.abs(made.frames.astype(int) - source.frames[:4]).mean() < 6
    assert kept == (wanted == "sound")
    origin = json.loads((out / "sampling.json").read_text())
    assert origin["given"] == {"folder": str(given), "wanted": wanted}
    assert origin["config"]["conditional"]["respacing"] == "2"
    rows = pq.read_table(out / "manifest.parquet").to_pylist()
    assert [(row["clip_id"], row["nfe"], row["ok"]) for row in rows] == [("a", 2, True), ("b", 2, True)]

    # All of the folder; what is there stays.
    code, _, err = sample(way, given, out)
    assert code == 0 and "3 clips, 1 to make, 2 there" in err
    assert first.items() < contents(out).items()
    # Another name, other neighbours, another order: the same clip.
    (given / "a.mp4").rename(given / "z.mp4")
    (given / "b.mp4").unlink()
    assert sample(way, given, tmp_path / "renamed")[0] == 0
    assert contents(tmp_path / "renamed") == {"c.mp4": contents(out)["c.mp4"], "z.mp4": first["a.mp4"]}


def test_a_bad_clip_costs_itself_and_a_source_that_changed_is_named(sample, given, tmp_path):
    (given / "b.mp4").write_text("not a film")
    code, printed, err = sample("--sound-for", given, tmp_path / "out")
    assert code == 3, err
    assert f"failed: {given / 'b.mp4'} is not a readable media file" in printed
    assert list(contents(tmp_path / "out")) == ["a.mp4", "c.mp4"]
    shutil.copy(given / "c.mp4", given / "a.mp4")
    code, _, err = sample("--sound-for", given, tmp_path / "out")
    assert code == 2
    assert f"or for another file than {given / 'a.mp4'} now is" in " ".join(err.split())


def test_pictures_and_sound_are_different_clips(sample, given, tmp_path):
    assert sample("--sound-for", given, tmp_path / "out", "--n", 1)[0] == 0
    code, _, err = sample("--pictures-for", given, tmp_path / "out", "--n", 1)
    assert code == 2 and "name another folder" in " ".join(err.split())


def test_unusable_options_are_one_sentence_and_exit_code_2(savg, sample, given, tmp_path, tiny):
    (tmp_path / "empty").mkdir()
    out = tmp_path / "out"
    cases = {
        "make two runs": ("--sound-for", given, out, "--pictures-for", given),
        "leave out --generator": ("--sound-for", given, out, "--generator", "tests.sampling.colours:Colours"),
        "does not exist; name a folder of mp4 files": ("--sound-for", tmp_path / "nowhere", out),
        "holds no": ("--pictures-for", tmp_path / "empty", out),
        "must not mix with them; name a folder elsewhere": ("--sound-for", given, given / "new"),
        "`base: {per_clip: true}`": ("--sound-for", given, out, "--preset", "savgbench-official"),
    }
    (tmp_path / "adaptive.yaml").write_text("base: {solver: adaptive, steps: null}\n")
    for words, arguments in cases.items():
        more = ("--config", tmp_path / "adaptive.yaml") if "savgbench-official" in arguments else ()
        code, _, err = sample(*arguments, *more)
        assert code == 2, words
        assert words in " ".join(err.split())
        assert "Traceback" not in err and err.count("error:") == 1


def test_the_official_algorithm_is_at_hand(savg, given, tmp_path):
    (tmp_path / "alone.yaml").write_text("base: {per_clip: true}\n")
    options = ("--config", tmp_path / "alone.yaml", "--weights", "filled", "--runner", "sequential", "--dry-run")
    code, _, err = savg(
        "sample", "--preset", "savgbench-official", "--sound-for", given, "--out", tmp_path / "out", *options
    )
    assert code == 0, err
    assert "1000 steps of DDPM, replacement" in err


@pytest.mark.slow
def test_on_ray_the_clips_are_the_same(sample, given, tmp_path, ray_resources):
    for runner in ("sequential", "ray"):
        code, _, err = sample("--sound-for", given, tmp_path / runner, runner=runner)
        assert code == 0, err
    assert contents(tmp_path / "ray") == contents(tmp_path / "sequential")
