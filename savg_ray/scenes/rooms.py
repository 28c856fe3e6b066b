"""Rooms: walls around the camera, furniture along them, and where a person can stand."""

import numpy as np

from savg_ray.scenes.chance import generator
from savg_ray.scenes.script import Furniture, Room

_WALL_M = (2.25, 4.5)
_CLEAR_M = 1.75
"""No furniture stands nearer to the camera, so that people find a way around it everywhere."""

_BODY_M = 0.32
"""Room that a person takes around the axis of the body."""

_SIZES_M = {
    # Width, depth, height from and to, and the height of the lower side.
    "table": ((1.0, 1.6), (0.60, 0.80), (0.70, 0.76), 0.0),
    "sofa": ((1.4, 2.1), (0.75, 0.85), (0.75, 0.90), 0.0),
    "shelf": ((0.7, 1.4), (0.28, 0.38), (1.60, 2.05), 0.0),
    "cabinet": ((0.7, 1.3), (0.40, 0.50), (0.75, 1.20), 0.0),
    "plant": ((0.35, 0.55), (0.35, 0.55), (0.80, 1.60), 0.0),
    "lamp": ((0.30, 0.42), (0.30, 0.42), (1.45, 1.75), 0.0),
    "picture": ((0.5, 1.2), (0.03, 0.03), (0.40, 0.80), 1.35),
    "window": ((1.0, 1.8), (0.04, 0.04), (1.00, 1.30), 0.95),
    "door": ((0.85, 0.95), (0.06, 0.06), (2.02, 2.08), 0.0),
}
_ON_FLOOR = {"table", "sofa", "shelf", "cabinet", "plant", "lamp"}
_AT_ONE_WALL = 3
_TRIES = 30


def furnished_room(seed: int, number: int) -> Room:
    """The room of a number: the same in every recording of a seed.

    4.5 to 9 m on each side. It has one door and a table, and furniture along the walls, none of it within 1.75 m of
    the camera.
    """
    rng = generator(seed, 1, number)
    front_m, back_m, left_m, right_m = (float(round(rng.uniform(*_WALL_M), 2)) for _ in range(4))
    walls = (front_m, left_m, back_m, right_m)
    height_m, eye_height_m = round(float(rng.uniform(2.5, 3.1)), 2), round(float(rng.uniform(1.2, 1.4)), 2)
    kinds = ["sofa", "shelf", "cabinet", "plant", "lamp", "picture", "window"]
    wanted = ["door", "table", *rng.permutation(kinds * 2).tolist()]
    furniture: list[Furniture] = []
    for kind in wanted:
        piece = _placed(kind, walls, furniture, rng)
        if piece is not None:
            furniture.append(piece)
    rug_m = float(rng.uniform(1.4, 2.2))
    furniture.append(Furniture("rug", 0.0, 0.0, float(rng.uniform(-15, 15)), rug_m * 1.4, rug_m, 0.01))
    palette = int(rng.integers(2**31))
    return Room(front_m, back_m, left_m, right_m, height_m, eye_height_m, palette, tuple(furniture))


def is_free(room: Room, x_m: float, y_m: float) -> bool:
    """Whether a person can stand there: inside the walls and beside the furniture."""
    if not (_BODY_M - room.back_m < x_m < room.front_m - _BODY_M):
        return False
    if not (_BODY_M - room.right_m < y_m < room.left_m - _BODY_M):
        return False
    return not any(piece.kind in _ON_FLOOR and _distance_m(piece, x_m, y_m) < _BODY_M for piece in room.furniture)


def _placed(
    kind: str, walls: tuple[float, ...], others: list[Furniture], rng: np.random.Generator
) -> Furniture | None:
    """A piece with its back to a wall, beside what is there already; None when it finds no place."""
    widths, depths, heights, bottom_m = _SIZES_M[kind]
    width_m, depth_m, height_m = (float(round(rng.uniform(*size), 2)) for size in (widths, depths, heights))
    for _ in range(_TRIES):
        # Wall 0 is in front, 1 left, 2 behind, 3 right; along it runs the axis a quarter turn on.
        wall = int(rng.integers(4))
        half_m = width_m / 2 + 0.15
        along_m = float(rng.uniform(half_m - walls[wall - 1], walls[(wall + 1) % 4] - half_m))
        out_m = walls[wall] - depth_m / 2
        turn = np.deg2rad(90.0 * wall)
        x_m = float(out_m * np.cos(turn) - along_m * np.sin(turn))
        y_m = float(out_m * np.sin(turn) + along_m * np.cos(turn))
        # Its front looks into the room.
        yaw_deg = (90.0 * wall + 360) % 360 - 180
        piece = Furniture(kind, x_m, y_m, yaw_deg, width_m, depth_m, height_m, bottom_m)
        clear = kind not in _ON_FLOOR or _distance_m(piece, 0.0, 0.0) >= _CLEAR_M
        if clear and not any(_touch(piece, other) for other in others):
            return piece
    return None


def _half_sizes(piece: Furniture) -> tuple[float, float]:
    """Half of the footprint along x and y; furniture at walls is turned by quarters, its width along the wall."""
    along_y = round(piece.yaw_deg / 90) % 2 == 0
    return (piece.depth_m / 2, piece.width_m / 2) if along_y else (piece.width_m / 2, piece.depth_m / 2)


def _distance_m(piece: Furniture, x_m: float, y_m: float) -> float:
    half_x, half_y = _half_sizes(piece)
    return float(np.hypot(max(abs(x_m - piece.x_m) - half_x, 0.0), max(abs(y_m - piece.y_m) - half_y, 0.0)))


def _touch(a: Furniture, b: Furniture) -> bool:
    gap_m = 0.12
    (ax, ay), (bx, by) = _half_sizes(a), _half_sizes(b)
    return abs(a.x_m - b.x_m) < ax + bx + gap_m and abs(a.y_m - b.y_m) < ay + by + gap_m
