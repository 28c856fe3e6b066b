import numpy as np
import pytest

from savg_ray.spatial.place_map import drawn_places, read_places

WIDTH_PX = 64
EDGE = np.sin(np.radians(50))


def test_what_is_drawn_is_read():
    for pan in np.linspace(-0.9 * EDGE, 0.9 * EDGE, 13):
        found = read_places(drawn_places(np.full(20, pan), WIDTH_PX))
        np.testing.assert_allclose(found, pan, atol=0.03)


def test_the_bright_column_is_where_a_camera_sees_the_source():
    drawn = drawn_places(np.array([EDGE, 0, -EDGE, np.sin(np.radians(-25))]), 129)
    expected_px = 64 * (1 + np.tan(np.radians(25)) / np.tan(np.radians(50)))
    assert list(drawn.argmax(axis=1)) == [0, 64, 128, round(expected_px)]
    assert drawn.dtype == np.float32 and drawn.max() <= 1 and drawn.min() >= -1


def test_a_source_beyond_the_picture_is_drawn_at_its_edge():
    assert np.array_equal(drawn_places(np.array([1.0]), WIDTH_PX), drawn_places(np.array([EDGE]), WIDTH_PX))


def test_mirrored_pictures_have_the_opposite_pan():
    pan = np.array([0.5, 0.1, -0.3])
    np.testing.assert_allclose(drawn_places(-pan, WIDTH_PX), drawn_places(pan, WIDTH_PX)[:, ::-1], atol=1e-5)


def test_a_walk_through_noise_is_read():
    pan = np.linspace(0.5, -0.5, 20)
    noise = 0.5 * np.random.default_rng(0).standard_normal((20, WIDTH_PX))
    np.testing.assert_allclose(read_places(drawn_places(pan, WIDTH_PX) + noise), pan, atol=0.12)


@pytest.mark.parametrize(("louder", "expected"), [(0.8, 0.5), (0.2, -0.4)])
def test_of_two_sources_the_brighter_one_counts(louder, expected):
    both = [drawn_places(np.full(20, pan), WIDTH_PX) for pan in (0.5, -0.4)]
    found = read_places(louder * both[0] + (1 - louder) * both[1])
    np.testing.assert_allclose(found, expected, atol=0.05)
