from pathlib import Path

import numpy as np
import pytest

from savg_ray.spatial.ambisonics import encode_gains, rotate_yaw, rotated_azimuth_deg, stereo
from savg_ray.spatial.perspective import Projector, View
from savg_ray.spatial.screen import azimuth_at, mirror_x_px, screen_position, true_position
from tests.spatial.pictures import HEIGHT, WIDTH, blob, centroid, yaw_to

VIEW = View()
CENTRE_PX = 127.5
GOLDEN = Path(__file__).parents[1] / "golden" / "dataset" / "onscreen_256x144.npz"


def test_every_label_lies_where_the_reference_generator_puts_it():
    with np.load(GOLDEN) as archive:
        table = archive["table"]
    azimuth, elevation = np.meshgrid(np.arange(360), np.arange(-90, 91), indexing="ij")
    on_screen, x_px, y_px = screen_position(azimuth, elevation, VIEW)
    np.testing.assert_array_equal(on_screen, table[..., 0] == 1)
    np.testing.assert_array_equal(x_px, table[..., 1])
    np.testing.assert_array_equal(y_px, table[..., 2])


def test_azimuths_are_the_same_from_either_side():
    azimuth = np.arange(-180, 180)
    for ours, again in zip(
        screen_position(azimuth, 5, VIEW), screen_position(azimuth + 360, np.full(360, 5), VIEW), strict=True
    ):
        np.testing.assert_array_equal(ours, again)
    assert screen_position(-10.3, 0.2, VIEW) == screen_position(-10, 0, VIEW)


def test_labels_are_half_a_degree_off_the_true_position_and_pushed_in_at_the_edges():
    azimuth, elevation = np.meshgrid(np.arange(-45, 46), np.arange(-25, 26))
    on_screen, x_px, y_px = screen_position(azimuth, elevation, VIEW)
    true_x, true_y = true_position(azimuth - 0.5, elevation - 0.5, VIEW)
    inside = (true_x > 4) & (true_x < 251) & (true_y > 4) & (true_y < 139)
    assert inside.sum() > 3000 and on_screen[inside].all()
    assert abs(x_px - true_x)[inside].max() <= 1
    assert abs(y_px - true_y)[inside].max() <= 1


def test_true_positions_of_known_directions():
    np.testing.assert_allclose(true_position([0, 50, -50], 0, VIEW)[0], [127.5, 0, 255], atol=1e-9)
    np.testing.assert_allclose(true_position(0, [0, VIEW.vfov_deg / 2], VIEW)[1], [71.5, 0], atol=1e-9)
    assert np.isnan(true_position([90, 180, -120], 0, VIEW)).any(axis=0).all()


def test_a_column_has_the_azimuth_that_is_seen_there():
    azimuth_deg = np.linspace(-70, 70, 29)
    np.testing.assert_allclose(azimuth_at(true_position(azimuth_deg, 0, VIEW)[0], VIEW), azimuth_deg, atol=1e-9)
    assert azimuth_at(0, VIEW) == pytest.approx(50)


@pytest.mark.parametrize("seen_at", [-45, -30, -12, 12, 30, 45])
@pytest.mark.parametrize("azimuth", [-170, -100, -30, 0, 30, 85, 179])
def test_eye_ear_and_label_agree_on_the_side(azimuth, seen_at):
    yaw = yaw_to(azimuth, seen_at)
    picture = Projector(VIEW, WIDTH, HEIGHT).project(blob(azimuth, 0), yaw)
    left, right = abs(stereo(rotate_yaw(encode_gains(azimuth, 0)[:, None] * np.ones(9), yaw))).sum(axis=1)
    on_screen, x_px, _ = screen_position(rotated_azimuth_deg(azimuth, yaw), 0, VIEW)
    assert on_screen
    is_left = seen_at > 0
    assert (centroid(picture)[0] < CENTRE_PX) == (left > right) == (x_px < CENTRE_PX) == is_left


@pytest.mark.parametrize("yaw", range(0, 360, 20))
def test_a_spot_is_seen_where_a_pinhole_camera_shows_it(yaw):
    for seen_at, elevation in ((30, 0), (-20, 15), (5, -20)):
        # A narrow spot: a plane stretches a wide one outwards.
        picture = Projector(VIEW, WIDTH, HEIGHT).project(blob(seen_at - yaw, elevation, radius_deg=0.8), yaw)
        true_x, true_y = true_position(rotated_azimuth_deg(seen_at - yaw, yaw), elevation, VIEW)
        x, y = centroid(picture)
        assert x == pytest.approx(true_x, abs=0.5) and y == pytest.approx(true_y, abs=0.5)


def test_a_spot_behind_is_not_seen():
    assert not Projector(VIEW, WIDTH, HEIGHT).project(blob(180, 0), 0).any()
    assert not screen_position(180, 0, VIEW)[0]


def test_mirrored_columns():
    np.testing.assert_array_equal(mirror_x_px([0, 100, 255], 256), [255, 155, 0])
