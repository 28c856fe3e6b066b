import numpy as np
import pytest
import torch

from savg_ray.networks.mm_unet import MMUNet
from savg_ray.sampling.clip_seeds import ClipSeeds
from savg_ray.sampling.joint import JointSampler
from savg_ray.sampling.parts import Parts
from savg_ray.spatial.place_map import drawn_places
from savg_ray.weights.fill import fill_deterministic
from tests.sampling.tiny import ADAPTIVE, tiny_config

SEEDS = [ClipSeeds(1, index) for index in range(2)]


@pytest.fixture
def sampler(tmp_path):
    def make(preset="savg", at_a_time=1, **base):
        config = tiny_config(tmp_path, preset, **base).base
        network = fill_deterministic(MMUNet(config.shape).eval().requires_grad_(False), 11)
        return JointSampler(network, config, Parts(at_a_time))

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


def test_black_rows_surround_what_the_network_made(sampler):
    plain, padded = sampler()(SEEDS[:1])[0], sampler(pad_to_px=24)(SEEDS[:1])[0]
    assert padded.video.shape == (4, 3, 24, 16)
    assert np.array_equal(padded.video[:, :, 4:20], plain.video)
    assert (padded.video[:, :, :4] == -1).all() and (padded.video[:, :, 20:] == -1).all()


def test_the_sound_s_gain_is_undone(sampler):
    plain, loud = sampler()(SEEDS[:1])[0], sampler(sound_gain=4.0)(SEEDS[:1])[0]
    assert np.array_equal(loud.video, plain.video)
    np.testing.assert_allclose(4 * loud.audio, plain.audio, rtol=1e-6)


@pytest.mark.parametrize("solver", [ADAPTIVE, {}, {"solver": "singlestep", "steps": 5}])
def test_a_network_that_knows_the_clean_clip_brings_it_out(tmp_path, solver):
    config = tiny_config(tmp_path, predicts="clean", **solver).base
    clean = torch.linspace(-0.9, 0.9, 2 * 1600).reshape(1, 2, 1600), torch.full((1, 4, 3, 16, 16), 0.25)

    class Knowing(torch.nn.Linear):
        shift_ranges = ()

        def forward(self, video, audio, labels, shifts):
            return clean[1].expand_as(video), clean[0].expand_as(audio)

    clip = JointSampler(Knowing(1, 1), config, Parts(1))(SEEDS[:1])[0]
    # The last step leaves the noise of the level that it reaches.
    np.testing.assert_allclose(clip.video, clean[1][0], atol=0.06)
    np.testing.assert_allclose(clip.audio, clean[0][0], atol=0.06)


@pytest.mark.parametrize("solver", [ADAPTIVE, {}, {"solver": "singlestep", "steps": 5}])
def test_the_sound_comes_from_where_the_fourth_colour_is_bright(tmp_path, solver):
    form = {"sound_form": "placed", "sound_gain": 2.0, "place_gain": 0.05}
    config = tiny_config(tmp_path, predicts="clean", width_px=32, **solver, **form).base
    places = torch.from_numpy(drawn_places(np.full(4, 0.5), 32))

    class Knowing(torch.nn.Linear):
        shift_ranges = ()

        def forward(self, video, audio, labels, shifts):
            clean = torch.zeros_like(video)
            clean[:, :, 3] = places[:, None]
            return clean, torch.full_like(audio, 0.8)

    clip = JointSampler(Knowing(1, 1), config, Parts(1))(SEEDS[:1])[0]
    assert clip.video.shape == (4, 3, 16, 32) and clip.audio.shape == (2, 1600)
    left, right = clip.audio.mean(axis=1)
    assert left == pytest.approx(0.6, abs=0.05) and right == pytest.approx(0.2, abs=0.05)
