import cv2
import numpy as np
import pytest

from savg_ray.media.pictures import resized


@pytest.mark.parametrize(
    ("height", "width", "small"), [(256, 256, (64, 64)), (144, 256, (36, 64)), (100, 90, (64, 80))]
)
def test_without_antialiasing_pictures_are_those_of_opencv(height, width, small):
    frames = np.random.default_rng(0).integers(0, 256, (2, height, width, 3), np.uint8)
    wanted = [cv2.resize(frame, small[::-1], interpolation=cv2.INTER_CUBIC) for frame in frames]
    assert np.array_equal(resized(frames, *small, antialias=False), wanted)


def test_fine_stripes_become_grey_with_antialiasing_and_coarse_ones_without():
    stripes = np.zeros((1, 64, 60, 3), np.uint8)
    stripes[:, :, ::3] = 255
    small = {antialias: resized(stripes, 16, 15, antialias)[:, :, 2:-2].astype(int) for antialias in (True, False)}
    assert np.ptp(small[True]) < 30 and np.ptp(small[False]) > 90


def test_pictures_of_the_size_stay_as_they_are():
    frames = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3), np.uint8)
    for antialias in (True, False):
        assert np.array_equal(resized(frames, 8, 8, antialias), frames)
