"""Every network's stage on a real GPU, beside the same on the CPU (``make test-gpu``)."""

import numpy as np
import pytest

from savg_ray.networks import seld
from savg_ray.stages.audio_features import AudioFeatureStage
from savg_ray.stages.base_sampler import BaseSamplerStage
from savg_ray.stages.batch import decode, object_column
from savg_ray.stages.mini_features import AudioMiniStage, VideoMiniStage
from savg_ray.stages.seld import SeldStage
from savg_ray.stages.super_resolution import SuperResolutionStage
from savg_ray.stages.video_features import VideoFeatureStage
from savg_ray.weights.choose import WeightsChoice
from savg_ray.weights.store import WeightStore
from tests.sampling.tiny import tiny_config

pytestmark = pytest.mark.gpu

# Enough to find out how many fit, and to record calls of that size and play them.
N_CLIPS = 24


def filled(name):
    return WeightsChoice("filled", WeightStore()).resolve(name)


def asked_rows(todo, n, **columns):
    text = {"id": "a", "path": "a.mp4", "todo": todo, "reason": "", "error": ""}
    return {**{name: object_column([value] * n) for name, value in text.items()}, **columns}


def sampled(folder, device, precision="float32", **arithmetic):
    config = tiny_config(folder, steps=10, **arithmetic)
    large = config.super_resolution.model_copy(update=arithmetic)
    stages = [
        BaseSamplerStage(filled("joint"), config.base, precision),
        SuperResolutionStage(filled("sr"), large, precision),
    ]
    numbers = {"index": np.arange(N_CLIPS), "seed": np.zeros(N_CLIPS, np.int64)}
    batch = asked_rows("base,super_resolution", N_CLIPS, **numbers)
    for stage in stages:
        stage.load(device)
        batch = stage(batch)
    assert list(batch["error"]) == [""] * N_CLIPS
    return batch, stages


def close_pictures(batch, expected, psnr_db):
    squares = (batch["made_frames"].astype(float) - expected["made_frames"]) ** 2
    assert 10 * np.log10(255**2 / max(squares.mean(), 1e-9)) > psnr_db
    assert np.corrcoef(batch["waveform"].ravel(), expected["waveform"].ravel())[0, 1] > 0.99


@pytest.fixture(scope="module")
def on_cpu(tmp_path_factory):
    return sampled(tmp_path_factory.mktemp("cpu"), "cpu")[0]


@pytest.mark.parametrize(
    ("precision", "arithmetic", "psnr_db"),
    [
        ("float32", {}, 45),
        ("bfloat16", {}, 25),
        ("float32", {"compile": True}, 45),
        ("float32", {"cuda_graphs": True}, 45),
        ("float32", {"compile": True, "cuda_graphs": True}, 45),
        ("bfloat16", {"compile": True, "cuda_graphs": True}, 25),
    ],
)
def test_clips_of_a_gpu_are_those_of_the_cpu(tmp_path, caplog, on_cpu, precision, arithmetic, psnr_db):
    batch, (base, large) = sampled(tmp_path, "cuda", precision, **arithmetic)
    close_pictures(batch, on_cpu, psnr_db)
    assert base._parts.rows == 8 and large._parts.rows == 64
    assert not any("cannot be recorded" in message for message in caplog.messages)


# Filled AudioCLIP amplifies rounding (docs/parity.md).
SCORING = {
    "video_features": (VideoFeatureStage, (False,), 0.01),
    "audio_features": (AudioFeatureStage, (), 0.1),
    "small video_features": (VideoMiniStage, (), 0.01),
    "small audio_features": (AudioMiniStage, (), 0.01),
    "seld": (SeldStage, (False, seld.SeldConfig()), 0.01),
}


@pytest.mark.parametrize("name", SCORING)
def test_results_of_a_gpu_are_those_of_the_cpu(name):
    kind, settings, tolerance = SCORING[name]
    random, n = np.random.default_rng(0), 2
    media = {
        "frames": random.integers(0, 256, (n, 20, 256, 256, 3), np.uint8),
        "n_frames": np.full(n, 20),
        "fps": np.full(n, 4.0),
        "pcm_16k": random.integers(-9000, 9000, (n, 2, 80000)).astype(np.int16),
        "n_16k": np.full(n, 80000),
        "pcm_44k1": random.integers(-9000, 9000, (n, 2, 220500)).astype(np.int16),
        "n_44k1": np.full(n, 220500),
    }
    found = {}
    for device in ("cpu", "cuda"):
        stage = kind(filled(kind.name), "float32", *settings)
        stage.load(device)
        batch = stage(asked_rows(kind.name, n, **media))
        assert list(batch["error"]) == [""] * n
        found[device] = np.concatenate([decode(result).ravel() for result in batch[kind.name]])
    assert np.abs(found["cuda"] - found["cpu"]).max() < tolerance * np.abs(found["cpu"]).max()
