"""Solids painted into a picture: who is nearest at each pixel, then colours with smooth edges."""

import numpy as np

from savg_ray.scenes.pictures.compiled import compiled
from savg_ray.scenes.pictures.equirect import PixelRays
from savg_ray.scenes.pictures.light import Light, person_brightness
from savg_ray.scenes.pictures.raycast import hit_distance, local_point, normal_at
from savg_ray.scenes.pictures.solid_colours import solid_colour

NOBODY = -1


@compiled
def find_nearest(
    parts: np.ndarray, bounds: np.ndarray, rays: PixelRays, depth: np.ndarray, number: np.ndarray
) -> None:
    """Put solids in front of what a picture shows so far.

    Args:
        parts: solids, (P,) of `PART`.
        bounds: int64 (P, 4), the pixels that each can reach, as ``pixel_bounds`` gives them.
        rays: of the picture, height H and width W.
        depth: float32 (H, W) in metres, made smaller where a solid is nearer.
        number: int16 (H, W), there set to the solid's index.
    """
    width = depth.shape[1]
    for index in range(len(parts)):
        part = parts[index]
        for row in range(bounds[index, 0], bounds[index, 1] + 1):
            level, dz = rays.cos_row[row], rays.sin_row[row]
            for unwrapped in range(bounds[index, 2], bounds[index, 3] + 1):
                column = unwrapped % width
                t = hit_distance(part, level * rays.cos_column[column], level * rays.sin_column[column], dz)
                if t < depth[row, column]:
                    depth[row, column] = t
                    number[row, column] = index


@compiled
def paint_solids(
    picture: np.ndarray,
    behind: np.ndarray,
    parts: np.ndarray,
    bounds: np.ndarray,
    area: np.ndarray,
    rays: PixelRays,
    fine_rays: PixelRays,
    depth: np.ndarray,
    number: np.ndarray,
    fine_depth: np.ndarray,
    light: Light,
) -> None:
    """Colour the pixels of an area that show solids; those on edges from 2 x 2 rays.

    Args:
        picture: uint8 (H, W, 3), changed.
        behind: the same without solids; shines through where an edge covers a part of a pixel.
        parts, bounds: all solids, as for ``find_nearest``.
        area: int64 (4,), first and last row and column.
        rays, fine_rays: of the picture, and of one twice as wide and high.
        depth, number: what ``find_nearest`` made for all solids.
        fine_depth: float32 (2H, 2W), distance to the room.
        light: of the room.
    """
    height, width = number.shape
    pixel_rad = 2 * np.pi / width
    near = np.empty(len(parts), np.int64)
    for row in range(area[0], area[1] + 1):
        for unwrapped in range(area[2], area[3] + 1):
            column = unwrapped % width
            here = number[row, column]
            if _is_edge(number, row, column, height, width):
                _paint_edge(
                    picture, behind, parts, bounds, row, column, fine_rays, fine_depth, light, pixel_rad, near
                )
            elif here >= 0:
                dx = rays.cos_row[row] * rays.cos_column[column]
                dy = rays.cos_row[row] * rays.sin_column[column]
                t = depth[row, column]
                r, g, b = _colour(parts[here], t * dx, t * dy, t * rays.sin_row[row], t * pixel_rad, light)
                _store(picture, row, column, r, g, b)


@compiled
def _is_edge(number: np.ndarray, row: int, column: int, height: int, width: int) -> bool:
    here = number[row, column]
    left, right = (column - 1) % width, (column + 1) % width
    if number[row, left] != here or number[row, right] != here:
        return True
    if row > 0 and number[row - 1, column] != here:
        return True
    return row < height - 1 and number[row + 1, column] != here


@compiled
def _paint_edge(
    picture: np.ndarray,
    behind: np.ndarray,
    parts: np.ndarray,
    bounds: np.ndarray,
    row: int,
    column: int,
    fine_rays: PixelRays,
    fine_depth: np.ndarray,
    light: Light,
    pixel_rad: float,
    near: np.ndarray,
) -> None:
    n_near = _list_near(bounds, row, column, picture.shape[1], near)
    seen = 0
    red, green, blue = 0.0, 0.0, 0.0
    for fine_row in range(2 * row, 2 * row + 2):
        level, dz = fine_rays.cos_row[fine_row], fine_rays.sin_row[fine_row]
        for fine_column in range(2 * column, 2 * column + 2):
            dx, dy = level * fine_rays.cos_column[fine_column], level * fine_rays.sin_column[fine_column]
            nearest = NOBODY
            best = np.float64(fine_depth[fine_row, fine_column])
            for index in near[:n_near]:
                t = hit_distance(parts[index], dx, dy, dz)
                if t < best:
                    best, nearest = t, index
            if nearest >= 0:
                r, g, b = _colour(parts[nearest], best * dx, best * dy, best * dz, 0.7 * best * pixel_rad, light)
                red, green, blue, seen = red + r, green + g, blue + b, seen + 1
    if seen > 0:
        rest = (4 - seen) / 65025.0
        red += rest * np.float64(behind[row, column, 0]) ** 2
        green += rest * np.float64(behind[row, column, 1]) ** 2
        blue += rest * np.float64(behind[row, column, 2]) ** 2
        _store(picture, row, column, red / 4, green / 4, blue / 4)


@compiled
def _list_near(bounds: np.ndarray, row: int, column: int, width: int, near: np.ndarray) -> int:
    """Write into ``near`` which solids can reach a pixel; returns how many."""
    n_near = 0
    for index in range(len(bounds)):
        if bounds[index, 0] <= row <= bounds[index, 1]:
            # The columns of a solid across the seam go on left or right of the picture.
            low, high = bounds[index, 2], bounds[index, 3]
            if (column - low) % width <= high - low:
                near[n_near] = index
                n_near += 1
    return n_near


@compiled
def _colour(
    part: np.record, x: float, y: float, z: float, pixel_m: float, light: Light
) -> tuple[float, float, float]:
    px, py, pz = local_point(part.matrix, part.eye, x, y, z)
    nx, ny, nz = normal_at(part, px, py, pz)
    bright = person_brightness(x, y, z, nx, ny, nz, light)
    r, g, b = solid_colour(part, x, y, z, px, py, pz, pixel_m)
    return r * bright, g * bright, b * bright


@compiled
def _store(picture: np.ndarray, row: int, column: int, red: float, green: float, blue: float) -> None:
    """Write a linear colour as it is stored, with a gamma of 2."""
    picture[row, column, 0] = np.uint8(min(np.sqrt(red), 1.0) * 255 + 0.5)
    picture[row, column, 1] = np.uint8(min(np.sqrt(green), 1.0) * 255 + 0.5)
    picture[row, column, 2] = np.uint8(min(np.sqrt(blue), 1.0) * 255 + 0.5)


@compiled
def shown_bounds(number: np.ndarray, owner: np.ndarray, person: int, area: np.ndarray) -> tuple[int, int, int, int]:
    """First and last row and column of an area that show a person; the last before the first when none does."""
    top, bottom, left, right = area[1] + 1, area[0] - 1, area[3] + 1, area[2] - 1
    width = number.shape[1]
    for row in range(area[0], area[1] + 1):
        for unwrapped in range(area[2], area[3] + 1):
            index = number[row, unwrapped % width]
            if index >= 0 and owner[index] == person:
                top, bottom = min(top, row), max(bottom, row)
                left, right = min(left, unwrapped), max(right, unwrapped)
    return top, bottom, left, right


@compiled
def put_back(depth: np.ndarray, number: np.ndarray, room_depth: np.ndarray, area: np.ndarray) -> None:
    """Make an area show the room alone again."""
    width = number.shape[1]
    for row in range(area[0], area[1] + 1):
        for unwrapped in range(area[2], area[3] + 1):
            column = unwrapped % width
            depth[row, column] = room_depth[row, column]
            number[row, column] = NOBODY
