from contextlib import nullcontext

import numpy as np
import pytest

from savg_ray.networks.mm_unet import MMUNet
from savg_ray.sampling.clip_seeds import ClipSeeds
from savg_ray.sampling.joint import JointSampler
from savg_ray.sampling.parts import Parts
from savg_ray.weights.fill import fill_deterministic
from tests.sampling.tiny import ADAPTIVE, tiny_config

SEEDS = [ClipSeeds(1, index) for index in range(2)]


@pytest.fixture
def sampler(tmp_path):
    def make(preset="savg", at_a_time=1, **base):
        config = tiny_config(tmp_path, preset, **base).base
        network = fill_deterministic(MMUNet(config.shape).eval().requires_grad_(False), 11)
        return JointSampler(network, config, nullcontext(), Parts(at_a_time))

    return make


def same(a, b):
    return np.array_equal(a.video, b.video) and np.array_equal(a.audio, b.audio) and a.nfe == b.nfe


@pytest.mark.parametrize("solver", [ADAPTIVE, {}, {"solver": "singlestep", "steps": 5}])
def test_a_clip_is_the_same_in_any_batch_and_order(sampler, solver):
    sample = sampler(**solver, n_frames=2, height_px=8, width_px=8, n_samples=400)
    together = sample(SEEDS)
    first = sample(SEEDS[:1])
    reversed_order = sample(SEEDS[::-1])
    assert same(together[0], first[0])
    assert all(same(one, other) for one, other in zip(together, reversed_order[::-1], strict=True))
    assert not np.array_equal(together[0].video, together[1].video)


def test_parts_of_another_size_give_the_same_clip_up_to_rounding(sampler):
    for one, other in zip(sampler()(SEEDS[:2]), sampler(at_a_time=2)(SEEDS[:2]), strict=True):
        np.testing.assert_allclose(one.video, other.video, atol=1e-3)
        np.testing.assert_allclose(one.audio, other.audio, atol=1e-3)


def test_the_official_sampler_steps_a_batch_as_one(sampler):
    sample = sampler("savgbench-official", **ADAPTIVE, n_frames=2, height_px=8, width_px=8, n_samples=400)
    together = sample(SEEDS)
    assert len({clip.nfe for clip in together}) == 1
    alone = sample(SEEDS[1:2])[0]
    assert not np.array_equal(together[1].video, alone.video)


def test_window_shifts_reach_the_network(sampler, monkeypatch):
    one = sampler()(SEEDS[:1])[0]
    monkeypatch.setattr(ClipSeeds, "shifts", lambda self, call, bounds: np.zeros(len(bounds), np.int64))
    assert not np.array_equal(one.video, sampler()(SEEDS[:1])[0].video)


def test_as_many_calls_as_steps(sampler):
    assert sampler(solver="multistep", steps=6)(SEEDS[:1])[0].nfe == 6
