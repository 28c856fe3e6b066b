import numpy as np
import pytest
import torch

from savg_ray.errors import UserError
from savg_ray.sampling.config import load_sampling_config
from savg_ray.sampling.sound_form import colour_gains, diffusion_sound, heard_sound
from tests.sampling.tiny import tiny_config

STEREO = np.outer([0.75, 0.25], np.random.default_rng(0).uniform(-0.2, 0.2, 1600)).astype(np.float32)
NO_PICTURES = np.zeros((4, 3, 16, 16), np.float32)


def test_left_and_right_are_made_louder_and_soft_again(tmp_path):
    config = tiny_config(tmp_path, sound_gain=4.0).base
    form, places = diffusion_sound(STEREO, config)
    assert np.array_equal(form, 4 * STEREO) and places is None
    assert np.array_equal(heard_sound(form, NO_PICTURES, config), STEREO)


def test_the_official_form_is_the_file_s():
    config = load_sampling_config("savgbench-official").base
    form, places = diffusion_sound(STEREO, config)
    assert np.array_equal(form, STEREO) and places is None
    assert (config.n_colours, config.n_channels) == (3, 2)
    assert colour_gains(config, torch.device("cpu")).flatten().tolist() == [1, 1, 1]


def test_a_placed_sound_comes_back_from_the_fourth_colour(tmp_path):
    config = tiny_config(tmp_path, sound_form="placed", sound_gain=4.0, place_gain=0.1).base
    form, places = diffusion_sound(STEREO, config)
    assert form.shape == (1, 1600) and form.dtype == np.float32
    np.testing.assert_allclose(form[0], 2 * STEREO.sum(axis=0), rtol=1e-5)
    assert places.shape == (config.n_frames, config.width_px)
    gains = colour_gains(config, torch.device("cpu")).numpy()
    rows = np.broadcast_to(places[:, None, None], (4, 1, 16, 16))
    video = np.concatenate([NO_PICTURES, rows], axis=1) * gains
    np.testing.assert_allclose(heard_sound(form, video, config), STEREO, atol=0.02 * STEREO.max())


def test_other_forms_are_refused(tmp_path):
    with pytest.raises(UserError, match="sound_form"):
        tiny_config(tmp_path, sound_form="mid_side")
    with pytest.raises(UserError, match="place_gain is for sound_form placed"):
        tiny_config(tmp_path, place_gain=0.1)
