"""Soft shadows of people on the floor."""

import numpy as np

from savg_ray.scenes.pictures.body import Body
from savg_ray.scenes.pictures.compiled import compiled
from savg_ray.scenes.pictures.equirect import PixelRays, pixel_bounds
from savg_ray.scenes.pictures.light import Light

_REACH = 2.2
_FLAT_M = 0.04
_FROM_LAMP_M = 0.10


def floor_shadows(body: Body, light: Light) -> np.ndarray:
    """Round shadows of a body: float64 (N, 4) of x, y, radius in metres and darkness 0 to 1 in the middle."""
    origin, height = body.pose.frame.origin, body.height_m
    away = origin[:2] - np.array([light.x_m, light.y_m])
    shift_m = _FROM_LAMP_M * away / max(float(np.linalg.norm(away)), 0.5)
    blobs = [(*(origin[:2] + shift_m), 0.26 * height, 0.34), (*(origin[:2] + 2 * shift_m), 0.15 * height, 0.22)]
    for leg in (body.pose.left_leg, body.pose.right_leg):
        foot = (leg.heel + leg.toe) / 2
        lift_m = max(float(foot[2] - origin[2]) - 0.03, 0.0)
        blobs.append((*foot[:2], (0.070 + 0.5 * lift_m) * height, 0.55 / (1 + 12 * lift_m)))
    for place in body.stand_m:
        blobs.append((float(place[0]), float(place[1]), 0.16 * height, 0.28))
    return np.array(blobs)


def shade_floor(picture: np.ndarray, shadows: np.ndarray, rays: PixelRays, depth: np.ndarray, light: Light) -> None:
    """Darken the floor that a picture shows, uint8 (H, W, 3), under shadows; ``depth`` is the room's."""
    height_px, width_px = depth.shape
    for x, y, radius_m, darkness in shadows:
        ball = np.array([[[x, y, light.floor_m, _REACH * radius_m]]])
        area = pixel_bounds(ball, width_px, height_px)[0]
        _shade(picture, area, x, y, radius_m, darkness, rays, depth, light.floor_m)


@compiled
def _shade(
    picture: np.ndarray,
    area: np.ndarray,
    x: float,
    y: float,
    radius_m: float,
    darkness: float,
    rays: PixelRays,
    depth: np.ndarray,
    floor_m: float,
) -> None:
    width = depth.shape[1]
    for row in range(area[0], area[1] + 1):
        level, dz = rays.cos_row[row], rays.sin_row[row]
        for unwrapped in range(area[2], area[3] + 1):
            column = unwrapped % width
            t = depth[row, column]
            if t * dz > floor_m + _FLAT_M:
                continue
            out_x = t * level * rays.cos_column[column] - x
            out_y = t * level * rays.sin_column[column] - y
            share = (out_x * out_x + out_y * out_y) / (radius_m * radius_m)
            if share < _REACH * _REACH:
                # The tail is cut off smoothly.
                rest = 1 - share / (_REACH * _REACH)
                light = np.sqrt(1 - darkness * np.exp(-share) * rest)
                for channel in range(3):
                    picture[row, column, channel] = np.uint8(picture[row, column, channel] * light + 0.5)
