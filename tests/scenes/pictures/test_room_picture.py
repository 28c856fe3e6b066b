import numpy as np
import pytest

from savg_ray.scenes.pictures.equirect import column_px, row_px
from savg_ray.scenes.pictures.room_picture import paint_room
from savg_ray.scenes.script import Furniture, Room
from tests.scenes.pictures.pictured import empty_room

WIDTH_PX, HEIGHT_PX = 192, 96
SIZES = {
    "table": (1.2, 0.7, 0.75, 0.0),
    "sofa": (1.8, 0.8, 0.85, 0.0),
    "shelf": (1.1, 0.35, 1.9, 0.0),
    "cabinet": (1.2, 0.45, 0.9, 0.0),
    "plant": (0.6, 0.6, 1.3, 0.0),
    "lamp": (0.45, 0.45, 1.6, 0.0),
    "picture": (1.0, 0.03, 0.7, 1.3),
    "window": (1.4, 0.05, 1.2, 0.9),
    "door": (0.9, 0.06, 2.05, 0.0),
    "rug": (1.8, 1.2, 0.01, 0.0),
}


def painted(room):
    return paint_room(room, WIDTH_PX, HEIGHT_PX)


def test_depth_is_the_distance_to_the_walls():
    room = Room(3.0, 2.5, 2.0, 1.5, 2.7, 1.3, 1, ())
    depth = painted(room).depth
    middle = HEIGHT_PX // 2
    # Front, left, back and right, just below the horizon.
    columns = [WIDTH_PX // 2, WIDTH_PX // 4, 0, 3 * WIDTH_PX // 4]
    np.testing.assert_allclose(depth[middle, columns], [3.0, 2.0, 2.5, 1.5], rtol=1e-3)
    np.testing.assert_allclose(depth[[0, -1], 0], [1.4, 1.3], rtol=1e-3)
    np.testing.assert_allclose(painted(room).fine_depth[-1, 0], 1.3, rtol=1e-3)


@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize("azimuth_deg", [60.0])
def test_furniture_is_seen_where_it_stands(kind, azimuth_deg):
    width_m, depth_m, height_m, bottom_m = SIZES[kind]
    turn = np.deg2rad(azimuth_deg)
    piece = Furniture(
        kind, 2.5 * np.cos(turn), 2.5 * np.sin(turn), azimuth_deg + 180, width_m, depth_m, height_m, bottom_m
    )
    bare, furnished = painted(empty_room()), painted(empty_room(furniture=(piece,)))
    nearer = furnished.depth < bare.depth - 1e-4
    rows, columns = np.nonzero(nearer)
    assert abs(columns.mean() - column_px(np.array(azimuth_deg), WIDTH_PX)) < 3
    half_deg = np.rad2deg(np.arctan2(width_m / 2, 2.5 - depth_m / 2))
    # Curtains reach out beyond the window, and a door has a frame.
    assert np.ptp(columns) <= 2 * (half_deg + 7) / 360 * WIDTH_PX
    top_deg = np.rad2deg(np.arctan2(bottom_m + height_m - 1.4, 2.5 + (depth_m / 2 if kind == "rug" else 0)))
    assert abs(rows.min() - row_px(top_deg, HEIGHT_PX)) < 5
    assert (furnished.picture != bare.picture).any(-1)[nearer].mean() > 0.9


def test_palettes_colour_rooms_differently_and_always_alike():
    pictures = [painted(empty_room(palette)).picture for palette in range(6)]
    assert len({picture.tobytes() for picture in pictures}) == 6
    np.testing.assert_array_equal(pictures[3], painted(empty_room(3)).picture)


def test_a_room_is_lit_softly():
    """Bright, not burnt out, and darker in its corners than on its walls."""
    picture = painted(empty_room(1)).picture.astype(float).mean(-1)
    horizon = picture[HEIGHT_PX // 2 - 4]
    assert 90 < horizon.mean() < 235
    front, corner = WIDTH_PX // 2, 3 * WIDTH_PX // 8
    assert horizon[corner] < 0.93 * horizon[[front - 12, front + 12]].mean()


def test_furniture_shades_the_floor_around_it():
    piece = Furniture("cabinet", 2.2, 0.0, 180.0, 1.2, 0.5, 0.9)
    bare, furnished = painted(empty_room()), painted(empty_room(furniture=(piece,)))
    floor = furnished.depth == bare.depth
    darker = bare.picture.astype(int).mean(-1) - furnished.picture.astype(int).mean(-1)
    assert darker[floor].max() > 10
    assert darker[floor].min() > -2
