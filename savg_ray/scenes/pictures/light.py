"""Light of a room: a lamp under the ceiling, light that walls and floor give back, and what comes from the camera."""

from typing import NamedTuple

import numpy as np

from savg_ray.scenes.pictures.compiled import compiled
from savg_ray.scenes.script import Room

_AMBIENT_DOWN, _AMBIENT_UP, _LAMP, _FROM_CAMERA = 0.30, 0.50, 0.55, 0.20
_WRAP = 0.3
_OUTLINE_FACING = 0.38


class Light(NamedTuple):
    """Where the lamp is (metres from the camera), the floor's height, and where light comes down softly from."""

    x_m: float
    y_m: float
    z_m: float
    floor_m: float


def room_light(room: Room) -> Light:
    """The lamp in the middle of a room's ceiling."""
    return Light(
        x_m=(room.front_m - room.back_m) / 2,
        y_m=(room.left_m - room.right_m) / 2,
        z_m=room.height_m - room.eye_height_m - 0.1,
        floor_m=-room.eye_height_m,
    )


@compiled
def brightness(x: float, y: float, z: float, nx: float, ny: float, nz: float, light: Light) -> float:
    """Light on a surface at a point with a normal; about 1 for a wall half-way up."""
    lx, ly, lz = light.x_m - x, light.y_m - y, light.z_m - z
    square = lx * lx + ly * ly + lz * lz
    facing = max((nx * lx + ny * ly + nz * lz) / np.sqrt(square + 1e-9), -_WRAP)
    lamp = (facing + _WRAP) / (1 + _WRAP) * 9.0 / (5.0 + square)
    ambient = _AMBIENT_DOWN + (_AMBIENT_UP - _AMBIENT_DOWN) * (0.5 + 0.5 * nz)
    distance = np.sqrt(x * x + y * y + z * z) + 1e-9
    seen = max(-(nx * x + ny * y + nz * z) / distance, 0.0)
    return ambient + _LAMP * lamp + _FROM_CAMERA * seen


@compiled
def person_brightness(x: float, y: float, z: float, nx: float, ny: float, nz: float, light: Light) -> float:
    """As ``brightness``, with darker outlines and, near the floor, the shade that a body throws on itself."""
    distance = np.sqrt(x * x + y * y + z * z) + 1e-9
    seen = max(-(nx * x + ny * y + nz * z) / distance, 0.0)
    outline = min(seen / _OUTLINE_FACING, 1.0)
    shade = 0.72 + 0.28 * min((z - light.floor_m) / 0.7, 1.0)
    return brightness(x, y, z, nx, ny, nz, light) * shade * (0.45 + 0.55 * outline * (2 - outline))
