"""The stages that make one half of a clip for the other: what they read, refuse, and write."""

import numpy as np
import pytest
import torch

from savg_ray.clips import Clip
from savg_ray.generation import chain
from savg_ray.generation.given_clips import clips_for
from savg_ray.generation.sampling import Sampling
from savg_ray.media.reader import read_clip, read_pictures
from savg_ray.media.writer import write_clip
from savg_ray.sampling.parts import Parts
from savg_ray.sampling.small_pictures import small_pictures
from savg_ray.stages.batch import object_column
from savg_ray.stages.given_clip import GivenPicturesStage, GivenSoundStage
from savg_ray.stages.sequential import run_sequential
from savg_ray.weights.choose import WeightsChoice
from savg_ray.weights.store import WeightStore
from tests.media.files import write_media
from tests.sampling.tiny import tiny_config

RANDOM = np.random.default_rng(0)


def frames_of(n, height=32, width=32):
    # Coarse, so that the codec keeps them.
    return RANDOM.integers(0, 256, (n, height // 8, width // 8, 3), np.uint8).repeat(8, axis=1).repeat(8, axis=2)


def sound_of(seconds, rate_hz=16000, channels=2):
    return RANDOM.uniform(-0.3, 0.3, (channels, int(seconds * rate_hz))).astype(np.float32)


def asked(paths):
    n = len(paths)
    return {
        "source": object_column([str(path) for path in paths]),
        "path": object_column([f"out/{path.name}" for path in paths]),
        "todo": object_column(["given"] * n),
        "reason": object_column([""] * n),
        "error": object_column([""] * n),
    }


def read(stage, paths):
    (batch,) = run_sequential([stage], [asked(paths)], "cpu")
    return batch


def test_pictures_are_given_as_they_are_and_as_the_network_sees_them(tmp_path):
    base = tiny_config(tmp_path).base
    fine, small = tmp_path / "fine.mp4", tmp_path / "small.mp4"
    write_media(fine, frames_of(30, 48, 64), None, fps=25.0)
    write_media(small, frames_of(9), sound_of(2))
    batch = read(GivenPicturesStage(base, True), [fine, small])
    assert list(batch["reason"]) == ["", ""]
    assert batch["made_shape"].tolist() == [[25, 48, 64], [4, 32, 32]]
    assert batch["making_fps"].tolist() == [25.0, 4.0]
    for i, (path, shown) in enumerate([(fine, [0, 6, 12, 18]), (small, [0, 1, 2, 3])]):
        frames, _ = read_pictures(path, 1.0)
        t, h, w = batch["made_shape"][i]
        assert np.array_equal(batch["made_frames"][i, :t, :h, :w], frames)
        wanted = small_pictures(frames[shown], base, True).transpose(0, 3, 1, 2)
        assert np.array_equal(batch["given_pictures"][i], wanted)


def test_pictures_that_cannot_serve_are_refused_one_by_one(tmp_path):
    files = {
        "good": write_media(tmp_path / "good.mp4", frames_of(4), None),
        "too_short": write_media(tmp_path / "short.mp4", frames_of(3), sound_of(2)),
        "fps_too_low": write_media(tmp_path / "slow.mp4", frames_of(9), None, fps=2.0),
        "odd_size": write_media(tmp_path / "odd.mp4", frames_of(4)[:, :31], None),
        "no_video": write_media(tmp_path / "radio.mp4", None, sound_of(2)),
    }
    batch = read(GivenPicturesStage(tiny_config(tmp_path).base, False), list(files.values()))
    assert list(batch["reason"]) == ["", *list(files)[1:]]
    for path, error in list(zip(files.values(), batch["error"], strict=True))[1:]:
        assert str(path) in error and error.count(".mp4") == 1
    assert "has pictures for 0.75 s, but clips last 1 s" in batch["error"][1]


def test_sound_is_given_at_the_network_s_rate_and_length(tmp_path):
    base = tiny_config(tmp_path, n_samples=16000).base
    as_it_is, finer, shorter = (tmp_path / f"{name}.mp4" for name in ("a", "b", "c"))
    write_media(as_it_is, frames_of(4), sound_of(1.2))
    seconds = np.arange(48000) / 48000
    tone = 0.4 * np.stack([np.sin(2 * np.pi * 440 * seconds), np.cos(2 * np.pi * 440 * seconds)])
    write_media(finer, frames_of(4), tone, rate_hz=48000)
    write_media(shorter, frames_of(4), sound_of(0.8))
    batch = read(GivenSoundStage(base), [as_it_is, finer, shorter])
    assert list(batch["reason"]) == ["", "", ""]
    assert batch["waveform"].shape == (3, 2, 16000) and batch["rate_hz"].tolist() == [16000] * 3
    assert np.array_equal(batch["waveform"][0], read_clip(as_it_is).waveform[:, :16000])
    np.testing.assert_allclose(batch["waveform"][1, :, 100:-100], tone[:, ::3][:, 100:-100], atol=2e-3)
    assert batch["waveform"][2, :, :12800].any() and not batch["waveform"][2, :, 12800:].any()


def test_sound_that_cannot_serve_is_refused_one_by_one(tmp_path):
    files = {
        "not_stereo": write_media(tmp_path / "mono.mp4", frames_of(4), sound_of(1, channels=1), layout="mono"),
        "too_short": write_media(tmp_path / "short.mp4", frames_of(4), sound_of(0.7)),
        "no_audio": write_media(tmp_path / "film.mp4", frames_of(4), None),
        "": write_media(tmp_path / "good.mp4", frames_of(4), sound_of(1)),
    }
    batch = read(GivenSoundStage(tiny_config(tmp_path, n_samples=16000).base), list(files.values()))
    assert list(batch["reason"]) == list(files)
    assert "has sound for 0.70 s, but clips last 1 s" in batch["error"][1]
    assert batch["waveform"][3].any() and not batch["waveform"][:3].any()


PLACED = {"sound_form": "placed", "sound_gain": 2.0, "place_gain": 0.05, "predicts": "clean", "thresholding": False}


@pytest.fixture
def make(tmp_path):
    """Makes the wanted half of some clips; returns the run."""

    def run(wanted, paths, out, size=1, guidance_scale=0.0, **base):
        config = tiny_config(tmp_path, **{"height_px": 8, "width_px": 8, "n_samples": 400, **base})
        guided = config.conditional.model_copy(update={"guidance_scale": guidance_scale})
        # Small pictures as they are: enlarging them costs most, and is nothing of its own here.
        config = config.model_copy(update={"conditional": guided, "super_resolution": None})
        config = chain.conditional_config(config, wanted)
        weights = {
            name: WeightsChoice("filled", WeightStore()).resolve(name) for name in chain.networks(config, "filled")
        }
        stages = chain.conditional_stages(config, wanted, weights, "cpu")
        identity = chain.diffusion_identity(config, weights, "cpu", wanted)
        clips = clips_for(paths, tmp_path / out, 0, identity)
        sampling = Sampling(tmp_path / out, clips, 0, [stage.name for stage in stages])
        for batch in run_sequential(stages, sampling.batches(size, whole=False), "cpu"):
            sampling.take(batch)
            assert not {"given_pictures", "made_frames", "waveform"} & set(batch)
        return sampling

    return run


@pytest.fixture
def given(tmp_path):
    sizes = [(4, 64, 4.0), (12, 128, 10.0)]
    paths = [tmp_path / "given" / f"{i}.mp4" for i in range(len(sizes))]
    paths[0].parent.mkdir()
    for path, (n, width, fps) in zip(paths, sizes, strict=True):
        write_clip(path, Clip(path.stem, frames_of(n, 64, width), fps, sound_of(1), 16000))
    return paths


@pytest.mark.parametrize(("scale", "form"), [(0.0, {}), (3.0, PLACED)])
def test_new_sound_stands_beside_the_pictures_of_the_file(make, given, scale, form):
    alone, together = (make("sound", given, name, size, scale, **form) for name, size in (("one", 1), ("two", 2)))
    assert not alone.missing and not together.failed
    heard = []
    for path, one, other in zip(given, alone.clips.values(), together.clips.values(), strict=True):
        assert one.path.read_bytes() == other.path.read_bytes()
        made, source = read_clip(one.path), read_clip(path)
        n = len(made.frames)
        assert (made.fps, n, made.frames.shape[2]) == (source.fps, round(source.fps), source.frames.shape[2])
        assert np.abs(made.frames.astype(int) - source.frames[:n]).mean() < 6
        assert made.waveform.shape == (2, 400) and made.waveform.any()
        assert one.nfe == 2
        heard.append(made.waveform)
    assert not np.array_equal(*heard)


@pytest.mark.parametrize(("scale", "form"), [(0.0, PLACED)])
def test_new_pictures_stand_beside_the_sound_of_the_file(make, given, scale, form):
    sizes = {"height_px": 64, "width_px": 64, **form}
    alone, together = (make("pictures", given, name, size, scale, **sizes) for name, size in (("one", 1), ("two", 2)))
    assert not alone.missing and not together.failed
    for path, one, other in zip(given, alone.clips.values(), together.clips.values(), strict=True):
        assert one.path.read_bytes() == other.path.read_bytes()
        made, source = read_clip(one.path), read_clip(path)
        assert made.frames.shape == (4, 64, 64, 3) and made.fps == 4
        assert np.abs(made.waveform - source.waveform[:, :400]).max() < 0.25
        assert np.corrcoef(made.waveform.ravel(), source.waveform[:, :400].ravel())[0, 1] > 0.9


def test_a_clip_that_cannot_be_read_costs_no_other(make, given):
    given[0].write_text("not a film")
    sampling = make("sound", given, "out", size=2)
    assert [clip.reason for clip in sampling.clips.values()] == ["not_media", ""]
    assert sampling.clips["1"].path.exists() and not sampling.clips["0"].path.exists()


def test_guided_clips_go_one_by_one_on_a_gpu_too(tmp_path):
    config = tiny_config(tmp_path)
    for scale in (0.0, 3.0):
        guided = config.conditional.model_copy(update={"guidance_scale": scale})
        weights = {"joint": WeightsChoice("filled", WeightStore()).resolve("joint")}
        changed = chain.conditional_config(config.model_copy(update={"conditional": guided}), "sound")
        sampler = chain.conditional_stages(changed, "sound", weights, "cpu")[1]
        parts = sampler._make_parts(torch.device("cuda"))
        assert (type(parts) is Parts) == (scale > 0) and parts.rows == 1
