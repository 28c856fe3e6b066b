"""The weights that come with the package: all there, of the networks that presets build, and of some use."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from savg_ray.config import load_config
from savg_ray.evaluation.chain import clip_stages, networks
from savg_ray.generation import chain as generation
from savg_ray.metrics import frechet_distance
from savg_ray.sampling.config import load_sampling_config
from savg_ray.scenes.walker import walker_clip
from savg_ray.stages.network_stage import NetworkStage
from savg_ray.training.distortions import PICTURE_DISTORTIONS, SOUND_DISTORTIONS
from savg_ray.weights.bundle import BUNDLED
from savg_ray.weights.choose import WeightsChoice
from savg_ray.weights.store import WeightStore

N_CLIPS = 5
LEVELS = (0.25, 0.5, 0.75, 1.0)


@pytest.fixture(scope="module")
def choice(tmp_path_factory):
    return WeightsChoice("bundled", WeightStore(tmp_path_factory.mktemp("weights")))


@pytest.fixture(scope="module")
def scorers(choice):
    """The loaded stages of preset laptop that have a network, by name."""
    config = load_config("laptop")
    weights = {name: choice.resolve(name) for name in networks(config).values()}
    stages = [stage for stage in clip_stages(config, weights) if isinstance(stage, NetworkStage)]
    for stage in stages:
        stage.load("cpu")
    return {stage.name: stage for stage in stages}


@pytest.fixture(scope="module")
def walkers():
    return [walker_clip(f"walker_{seed}", seed) for seed in range(N_CLIPS)]


def test_what_scores_loads_strictly(scorers):
    assert set(scorers) == {"detections", "video_features", "seld", "audio_features"}
    for stage in scorers.values():
        assert stage.weights.source == f"bundled ({stage.weights.name}.safetensors)"
        assert len(stage.weights.sha256) == 64
        assert all(tensor.dtype == torch.float32 for tensor in stage.network.parameters())


def test_what_samples_loads_strictly(choice):
    config = load_sampling_config("laptop")
    names = generation.networks(config, "bundled")
    assert set(names.values()) == set(BUNDLED) - set(networks(load_config("laptop")).values())
    weights = {role: choice.resolve(name) for role, name in names.items()}
    for stage in generation.diffusion_stages(config, weights, "cpu")[:-1]:
        stage.load("cpu")


def distances(features_of, clean, distortion):
    """Fréchet distances of broken clips to the clips as they were, at rising strengths."""
    reference = np.concatenate([features_of(media) for media in clean])
    found = []
    for level in LEVELS:
        rng = np.random.Generator(np.random.PCG64(0))
        broken = [features_of(distortion(media, level, rng)) for media in clean]
        found.append(frechet_distance(np.concatenate(broken), reference))
    return found


@pytest.mark.parametrize("kind", ["blur", "noise", "warp", "shuffle", "freeze"])
def test_fvd_mini_rises_with_what_is_wrong_with_the_pictures(scorers, walkers, kind):
    stage = scorers["video_features"]

    def features_of(frames):
        return stage.run_together([{"frames": frames, "n_frames": len(frames)}])[0]

    found = distances(features_of, [clip.frames for clip in walkers], PICTURE_DISTORTIONS[kind])
    assert all(a < b for a, b in pairwise([0.0, *found])), found


@pytest.mark.parametrize("kind", ["low_pass", "noise", "shuffle"])
def test_fad_mini_rises_with_what_is_wrong_with_the_sound(scorers, walkers, kind):
    stage = scorers["audio_features"]

    def features_of(waveform):
        pcm = np.rint(waveform.clip(-1, 1) * 32767).astype(np.int16)
        return stage.run_together([{"pcm_16k": pcm, "n_16k": pcm.shape[1]}])[0]

    found = distances(features_of, [clip.waveform for clip in walkers], SOUND_DISTORTIONS[kind])
    assert all(a < b for a, b in pairwise([0.0, *found])), found
