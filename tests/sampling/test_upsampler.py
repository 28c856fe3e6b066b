import numpy as np
import pytest
import torch

from savg_ray.networks.sr_unet import SRUNet
from savg_ray.sampling.clip_seeds import ClipSeeds
from savg_ray.sampling.config import load_sampling_config
from savg_ray.sampling.parts import Parts
from savg_ray.sampling.upsampler import Upsampler, to_uint8, upsampled_rows
from savg_ray.weights.fill import fill_deterministic
from tests.sampling.tiny import tiny_config


@pytest.fixture
def upsampler(tmp_path):
    config = tiny_config(tmp_path).super_resolution
    network = fill_deterministic(SRUNet(config.shape).eval().requires_grad_(False), 21)

    def make(rows="all", at_a_time=3):
        return Upsampler(network, config.model_copy(update={"rows": rows}), Parts(at_a_time))

    return make


LOW_RES = np.random.default_rng(0).uniform(-1, 1, (2, 4, 3, 16, 16)).astype(np.float32)
SEEDS = [ClipSeeds(0, 0), ClipSeeds(0, 1)]


def test_clips_do_not_see_each_other(upsampler):
    together = upsampler(at_a_time=4)(LOW_RES, SEEDS)
    assert together.shape == (2, 4, 64, 64, 3)
    for i in range(2):
        np.testing.assert_array_equal(together[i], upsampler(at_a_time=4)(LOW_RES[i : i + 1], SEEDS[i : i + 1])[0])


def test_parts_that_straddle_clips_keep_frames_and_noise_together(upsampler):
    difference = upsampler(at_a_time=3)(LOW_RES, SEEDS).astype(int) - upsampler(at_a_time=8)(LOW_RES, SEEDS)
    assert np.abs(difference).max() <= 1


def test_all_frames_of_a_clip_start_from_one_noise_picture(upsampler):
    still = np.repeat(LOW_RES[:, :1], 4, axis=1)
    pictures = upsampler(at_a_time=1)(still, SEEDS)
    assert (pictures == pictures[:, :1]).all()
    assert (pictures[0] != pictures[1]).any()


def test_content_rows_are_upsampled_and_the_rest_is_black(upsampler):
    pictures = upsampler("content")(LOW_RES, SEEDS)
    assert pictures[:, :, 12:48].any(axis=(0, 1, 3, 4)).all()
    # 16 pixels wide: a 16:9 picture fills 9 of the small rows, from the 4th on, and 36 of the large ones.
    assert not pictures[:, :, :12].any()
    assert not pictures[:, :, 48:].any()


def test_the_official_content_rows_are_160_of_256():
    config = load_sampling_config("fast").super_resolution
    assert upsampled_rows(config, 64, 64) == slice(12, 52)
    assert upsampled_rows(config.model_copy(update={"rows": "all"}), 64, 64) == slice(0, 64)


def test_pictures_are_truncated_not_rounded():
    values = torch.tensor([-2.0, -1.0, -0.001, 0.0, 0.999, 1.0, 3.0])
    assert to_uint8(values).tolist() == [0, 0, 127, 127, 254, 255, 255]


def test_a_network_that_knows_the_clean_picture_brings_it_out(tmp_path):
    config = tiny_config(tmp_path).super_resolution.model_copy(update={"predicts": "clean"})

    class Knowing(torch.nn.Linear):
        def forward(self, x, labels, low_res):
            return torch.full_like(x, 0.25)

    pictures = Upsampler(Knowing(1, 1), config, Parts(4))(LOW_RES, SEEDS)
    assert (pictures == to_uint8(torch.tensor(0.25)).item()).mean() > 0.999


def test_content_rows_fit_packed_networks(tmp_path):
    config = load_sampling_config("fast").super_resolution
    network = {"patch": 4, "channel_mult": [1, 1, 2], "num_channels": 32}
    assert upsampled_rows(config.model_copy(update={"network": network}), 64, 64) == slice(14, 50)
    coarser = config.model_copy(update={"network": {**network, "patch": 8}})
    assert upsampled_rows(coarser, 64, 64) == slice(12, 52)
