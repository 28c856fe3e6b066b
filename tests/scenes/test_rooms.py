import numpy as np
import pytest

from savg_ray.scenes.rooms import furnished_room, is_free
from savg_ray.scenes.roster import ROOMS

NUMBERS = [number for rooms in ROOMS.values() for number in rooms]
HUNG = {"picture", "window", "door", "rug"}


@pytest.mark.parametrize("number", NUMBERS)
def test_a_room_is_furnished_and_leaves_a_way_around_the_camera(number):
    room = furnished_room(7, number)
    assert 4 <= room.front_m + room.back_m <= 9 and 4 <= room.left_m + room.right_m <= 9
    assert sum(piece.kind == "door" for piece in room.furniture) == 1
    assert len(room.furniture) > 6
    for azimuth in np.radians(np.arange(0, 360, 5)):
        assert is_free(room, 1.3 * np.cos(azimuth), 1.3 * np.sin(azimuth))
    for piece in room.furniture:
        assert -room.back_m < piece.x_m < room.front_m and -room.right_m < piece.y_m < room.left_m
        if piece.kind not in HUNG:
            assert not is_free(room, piece.x_m, piece.y_m)


@pytest.mark.parametrize("number", NUMBERS[:4])
def test_furniture_faces_away_from_its_wall(number):
    room = furnished_room(7, number)
    for piece in room.furniture:
        if piece.kind != "rug":
            heading = np.radians(piece.yaw_deg)
            back_x = piece.x_m - np.cos(heading) * (piece.depth_m / 2 + 0.01)
            back_y = piece.y_m - np.sin(heading) * (piece.depth_m / 2 + 0.01)
            inside = -room.back_m < back_x < room.front_m and -room.right_m < back_y < room.left_m
            assert not inside, piece


def test_a_number_and_a_seed_are_always_the_same_room():
    assert furnished_room(1, 4) == furnished_room(1, 4)
    assert furnished_room(1, 4) != furnished_room(1, 6)
    assert furnished_room(1, 4) != furnished_room(2, 4)


def test_walls_and_furniture_are_not_free():
    room = furnished_room(0, 21)
    assert not is_free(room, room.front_m - 0.1, 0.0)
    assert not is_free(room, 0.0, -room.right_m - 1.0)
