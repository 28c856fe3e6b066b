"""The colour of a point on a solid: clothes, hair, instruments and furniture, by the solid's pattern."""

import numpy as np

from savg_ray.scenes.pictures.compiled import compiled
from savg_ray.scenes.pictures.face_colours import face_colour
from savg_ray.scenes.pictures.furniture_colours import furniture_colour
from savg_ray.scenes.pictures.parts import BARS, BUTTONS, CHECKS, EMBLEM, FACE, HAIR, PLAIN, PLANKS, SPLIT, STRIPES
from savg_ray.scenes.pictures.patterns import beyond, dimmed, ellipse, line_share, mix, within
from savg_ray.scenes.pictures.raycast import local_point


@compiled
def solid_colour(
    part: np.record, x: float, y: float, z: float, px: float, py: float, pz: float, pixel_m: float
) -> tuple[float, float, float]:
    """Linear RGB of a point given in the room and in the solid's frame; ``pixel_m`` is the size of a pixel there."""
    first = (part.colour[0], part.colour[1], part.colour[2])
    pattern = part.pattern
    if pattern == PLAIN:
        return first
    second = (part.second[0], part.second[1], part.second[2])
    detail = part.detail
    if pattern == FACE:
        unit = detail[0]
        if px < 0:
            return first
        return face_colour(first, second, py / unit, pz / unit, pixel_m / unit, detail[1], detail[2], detail[3])
    if pattern >= PLANKS:
        size = part.size
        return furniture_colour(pattern, first, second, px, py, pz, size[0], size[1], size[2], pixel_m, detail[0])
    px, py, pz = local_point(part.cloth_matrix, part.cloth_eye, x, y, z)
    return _cloth_colour(pattern, first, second, px, py, pz, pixel_m, detail[0], detail[1])


@compiled
def _cloth_colour(
    pattern: int,
    first: tuple[float, float, float],
    second: tuple[float, float, float],
    px: float,
    py: float,
    pz: float,
    pixel_m: float,
    a: float,
    b: float,
) -> tuple[float, float, float]:
    if pattern == SPLIT:
        return mix(first, second, beyond(pz, a, pixel_m))
    if pattern == STRIPES:
        return mix(first, second, line_share(pz + b, a, a / 2, pixel_m))
    if pattern == CHECKS:
        across = line_share(py, a, a / 3, pixel_m)
        return mix(first, second, 0.5 * (across + line_share(pz + b, a, a / 3, pixel_m)))
    if pattern == BUTTONS:
        if px < 0:
            return first
        seam = line_share(py, 100.0, 0.008, pixel_m)
        button = within(ellipse(py, pz - a * np.floor(pz / a + 0.5), 0.009, 0.009), pixel_m)
        return mix(mix(first, dimmed(first, 0.55), seam), second, button)
    if pattern == EMBLEM:
        if px < 0:
            return first
        return mix(first, second, within(ellipse(py, pz - b, a, a), pixel_m))
    if pattern == HAIR:
        angle = np.arctan2(py, -px)
        strand = np.sin(angle * a + 3.0 * np.sin(pz * b)) * min(1.0, 0.004 / pixel_m)
        return dimmed(first, 1.0 + 0.15 * strand)
    if pattern == BARS:
        gap = line_share(py, a, 0.14 * a, pixel_m)
        return mix(dimmed(first, 0.85 + 0.3 * beyond(py, 0.0, 0.8)), second, gap)
    return first
