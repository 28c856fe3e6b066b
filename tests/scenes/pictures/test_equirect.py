import numpy as np
import pytest

from savg_ray.errors import UserError
from savg_ray.scenes.pictures.equirect import check_size, column_px, pixel_bounds, pixel_rays, row_px

WIDTH_PX, HEIGHT_PX = 240, 120


def directions():
    rays = pixel_rays(WIDTH_PX, HEIGHT_PX)
    x, y = np.outer(rays.cos_row, rays.cos_column), np.outer(rays.cos_row, rays.sin_column)
    return np.stack([x, y, np.broadcast_to(rays.sin_row[:, None], x.shape)], axis=-1)


def test_left_is_left_and_up_is_up():
    assert column_px(np.array([180.0, 90.0, 0.0, -90.0]), 240).tolist() == [-0.5, 59.5, 119.5, 179.5]
    assert row_px(np.array([90.0, 0.0, -90.0]), 120).tolist() == [-0.5, 59.5, 119.5]
    left = directions()[HEIGHT_PX // 2, WIDTH_PX // 4]
    assert left[1] > 0.99
    assert directions()[0, 0, 2] > 0.99


def test_rays_have_length_one_and_meet_their_own_pixel():
    rays = directions()
    np.testing.assert_allclose(np.linalg.norm(rays, axis=-1), 1, atol=1e-12)
    azimuth = np.rad2deg(np.arctan2(rays[..., 1], rays[..., 0]))
    np.testing.assert_allclose(column_px(azimuth, WIDTH_PX)[60], np.arange(WIDTH_PX), atol=1e-9)


@pytest.mark.parametrize("seed", range(40))
def test_bounds_hold_every_pixel_of_a_sphere_and_few_more(seed):
    rng = np.random.default_rng(seed)
    centre = rng.normal(size=3)
    # The first ones lie at the seam, some over a pole.
    centre = np.array([-1.0, 0.02 * rng.normal(), rng.normal()]) if seed < 10 else centre
    radius = float(rng.uniform(0.05, 0.6)) * float(np.linalg.norm(centre))
    top, bottom, left, right = pixel_bounds(np.array([[[*centre, radius]]]), WIDTH_PX, HEIGHT_PX)[0]
    cosine = directions() @ (centre / np.linalg.norm(centre))
    rows, columns = np.nonzero(cosine >= np.sqrt(1 - (radius / np.linalg.norm(centre)) ** 2))
    assert top <= rows.min() and rows.max() <= bottom
    assert bottom - top <= np.ptp(rows) + 4
    assert ((columns - left) % WIDTH_PX <= right - left).all()
    assert right - left < WIDTH_PX
    if abs(centre[2]) < 0.5 * np.linalg.norm(centre):
        assert right - left <= len(np.unique(columns)) + 4


def test_everything_around_the_camera_needs_all_pixels():
    bounds = pixel_bounds(np.array([[[0.1, 0.0, 0.0, 0.5]]]), WIDTH_PX, HEIGHT_PX)[0]
    assert bounds[:2].tolist() == [0, HEIGHT_PX - 1]
    assert bounds[3] - bounds[2] == WIDTH_PX - 1


@pytest.mark.parametrize("size", [(1920, 1080), (241, 120), (242, 121), (0, 0), (16, 8)])
def test_other_shapes_are_refused_with_a_sentence(size):
    with pytest.raises(UserError, match="use an even height and twice that as width"):
        check_size(*size)
