import numpy as np
import py360convert
import pytest

from savg_ray.media.reader import read_clip
from savg_ray.spatial.perspective import Projector, View, pad_to_square
from tests.samples import joint_sample
from tests.spatial.pictures import HEIGHT, WIDTH, stretched, textured

VIEW = View()
YAWS = (0, 10, 90, 137.3, 170, 180, 190, 260, 350, -40)


def reference(picture, yaw, view):
    seen_to = (yaw + 180) % 360 - 180
    size = (view.height_px, view.width_px)
    return py360convert.e2p(picture, (view.hfov_deg, view.vfov_deg), seen_to, 0, size)


def test_field_of_view():
    assert View().vfov_deg == pytest.approx(67.67, abs=0.005)
    assert View(640, 360).vfov_deg == pytest.approx(View().vfov_deg)
    assert View(100, 100, 90).vfov_deg == pytest.approx(90)


@pytest.mark.parametrize("yaw", YAWS)
def test_a_synthetic_picture_is_projected_as_py360convert_does(yaw):
    picture = textured()
    ours = Projector(VIEW, WIDTH, HEIGHT).project(picture, yaw)
    difference = abs(ours.astype(int) - reference(picture, yaw, VIEW))
    assert ours.shape == (144, 256, 3) and ours.dtype == np.uint8
    assert difference.mean() < 0.05 and difference.max() <= 8


@pytest.mark.parametrize("view", [View(64, 36), View(200, 100, 140.0), View(320, 320, 90.0)])
def test_other_views_are_projected_as_py360convert_does(view):
    picture = textured()
    difference = abs(Projector(view, WIDTH, HEIGHT).project(picture, 175).astype(int) - reference(picture, 175, view))
    assert difference.mean() < 0.05


@pytest.mark.parametrize("yaw", (0, 180, 265))
def test_a_real_picture_is_projected_as_py360convert_does(yaw):
    picture = stretched(read_clip(joint_sample("sample_1.mp4")).frames[0])
    difference = abs(Projector(VIEW, WIDTH, HEIGHT).project(picture, yaw).astype(int) - reference(picture, yaw, VIEW))
    assert difference.mean() < 0.05


def test_the_seam_does_not_show():
    # The same picture with its seam elsewhere.
    picture = textured()
    turned = np.roll(picture, WIDTH // 2, axis=1)
    projector = Projector(VIEW, WIDTH, HEIGHT)
    np.testing.assert_array_equal(projector.project(picture, 180), projector.project(turned, 0))


def test_a_yaw_is_a_yaw_however_it_is_written():
    picture = textured()
    projector = Projector(VIEW, WIDTH, HEIGHT)
    np.testing.assert_array_equal(projector.project(picture, -90), projector.project(picture, 270))
    np.testing.assert_array_equal(projector.project(picture, 360), projector.project(picture, 0))


def test_a_wide_view_does_not_reach_over_the_poles():
    picture = np.full((20, 40, 3), 100, np.uint8)
    picture[0], picture[-1] = 0, 255
    seen = Projector(View(101, 101, 170.0), 40, 20).project(picture, 0)
    assert seen[0, 50].max() < 60 and seen[-1, 50].min() > 160


def test_what_cannot_be_projected():
    projector = Projector(VIEW, WIDTH, HEIGHT)
    with pytest.raises(ValueError, match=r"\(720, 1440, 3\)"):
        projector.project(np.zeros((720, 1280, 3), np.uint8), 0)
    with pytest.raises(ValueError, match="uint8"):
        projector.project(np.zeros((720, 1440, 3), np.float32), 0)
    with pytest.raises(ValueError, match="180 degrees"):
        View(hfov_deg=180.0)


def test_padding_centres_the_picture():
    picture = np.full((144, 256, 3), 7, np.uint8)
    square = pad_to_square(picture)
    assert square.shape == (256, 256, 3) and square.dtype == np.uint8
    assert (square[56:200] == 7).all() and not square[:56].any() and not square[200:].any()
    with pytest.raises(ValueError, match="640x360"):
        pad_to_square(np.zeros((360, 640, 3), np.uint8))
