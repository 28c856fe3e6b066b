import numpy as np
import pytest

from savg_ray.media.pictures import resized
from savg_ray.sampling.small_pictures import small_pictures
from tests.sampling.tiny import tiny_config

FRAMES = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)


@pytest.mark.parametrize("antialias", [True, False])
def test_the_rows_that_the_network_sees_are_cut_from_the_small_picture(tmp_path, antialias):
    config = tiny_config(tmp_path, height_px=16, width_px=32, pad_to_px=32).base
    small = small_pictures(FRAMES, config, antialias)
    assert np.array_equal(small, resized(FRAMES, 32, 32, antialias)[:, 8:24])


def test_a_wide_picture_lies_where_it_does_in_a_square_one_with_black_bars(tmp_path):
    config = tiny_config(tmp_path, height_px=24, width_px=32, pad_to_px=32).base
    wide = FRAMES[:, 14:50]
    small = small_pictures(wide, config, True)
    assert np.array_equal(small[:, 3:21], resized(wide, 18, 32, True))
    assert not small[:, :3].any() and not small[:, 21:].any()


def test_a_narrow_picture_has_bars_at_its_sides(tmp_path):
    config = tiny_config(tmp_path, height_px=32, width_px=32).base
    small = small_pictures(FRAMES[:, :, :32], config, True)
    assert np.array_equal(small[:, :, 8:24], resized(FRAMES[:, :, :32], 32, 16, True))
    assert not small[:, :, :8].any() and not small[:, :, 24:].any()
