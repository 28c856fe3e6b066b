"""Pixels of a 360 x 180 degree picture and the directions that they look at."""

from typing import NamedTuple

import numpy as np

from savg_ray.errors import UserError

SMALLEST_WIDTH_PX = 32


class PixelRays(NamedTuple):
    """Cosines and sines of the azimuth of each column and the elevation of each row, float64.

    The direction of a pixel is ``(cos_row * cos_column, cos_row * sin_column, sin_row)``.
    """

    cos_column: np.ndarray
    sin_column: np.ndarray
    cos_row: np.ndarray
    sin_row: np.ndarray


def check_size(width_px: int, height_px: int) -> None:
    """Refuse, with a UserError, a picture that is not even, 2:1 and at least 32 pixels wide."""
    if width_px != 2 * height_px or width_px % 4 or width_px < SMALLEST_WIDTH_PX:
        raise UserError(
            f"a 360 degree picture cannot be {width_px}x{height_px} pixels; "
            f"use an even height and twice that as width, such as 1920x960"
        )


def column_px(azimuth_deg: np.ndarray, width_px: int) -> np.ndarray:
    """Column of an azimuth, where whole numbers are centres of pixels; beyond 180 degrees it leaves the picture."""
    return (0.5 - azimuth_deg / 360) * width_px - 0.5


def row_px(elevation_deg: np.ndarray, height_px: int) -> np.ndarray:
    """Row of an elevation, where whole numbers are centres of pixels."""
    return (0.5 - elevation_deg / 180) * height_px - 0.5


def pixel_rays(width_px: int, height_px: int) -> PixelRays:
    """Directions through the centres of the pixels of a picture."""
    azimuth = np.pi * (1 - 2 * (np.arange(width_px) + 0.5) / width_px)
    elevation = np.pi * (0.5 - (np.arange(height_px) + 0.5) / height_px)
    return PixelRays(np.cos(azimuth), np.sin(azimuth), np.cos(elevation), np.sin(elevation))


def pixel_bounds(spheres: np.ndarray, width_px: int, height_px: int) -> np.ndarray:
    """Pixels that groups of spheres can reach: int64 (G, 4) of first row, last row, first column, last column.

    Args:
        spheres: float64 (G, N, 4) of x, y, z, radius in metres, seen from the origin.
        width_px, height_px: size of the picture.

    Returns:
        Inclusive bounds, a pixel wider than the spheres. Columns may lie left or right of the picture where a group
        crosses the seam; no more than ``width_px`` columns are named.
    """
    x, y, z, radius = np.moveaxis(spheres, -1, 0)
    distance = np.maximum(np.sqrt(x * x + y * y + z * z), 1e-9)
    elevation = np.arcsin(z / distance)
    around = distance <= radius
    spread = np.where(around, np.pi, np.arcsin(np.minimum(radius / distance, 1.0)))
    azimuth = np.arctan2(y, x)
    middle = azimuth[:, :1]
    offset = (azimuth - middle + np.pi) % (2 * np.pi) - np.pi
    over_pole = np.abs(elevation) + spread >= np.pi / 2
    level = np.where(over_pole, 1.0, np.cos(elevation))
    half = np.where(over_pole, np.pi, np.arcsin(np.minimum(np.where(over_pole, 0.0, np.sin(spread)) / level, 1.0)))
    left, right = (middle[:, 0] + (offset + half).max(-1)), (middle[:, 0] + (offset - half).min(-1))
    top, bottom = (elevation + spread).max(-1), (elevation - spread).min(-1)
    first_row = np.clip(np.floor(row_px(np.rad2deg(top), height_px)), 0, height_px - 1)
    last_row = np.clip(np.ceil(row_px(np.rad2deg(bottom), height_px)), 0, height_px - 1)
    first_column = np.floor(column_px(np.rad2deg(left), width_px))
    last_column = np.minimum(np.ceil(column_px(np.rad2deg(right), width_px)), first_column + width_px - 1)
    return np.stack([first_row, last_row, first_column, last_column], axis=-1).astype(np.int64)
