"""Where a labelled direction lies in the picture, as the data set's labels say it and as optics says it."""

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from savg_ray.spatial.perspective import View, source_pixels

OFF_SCREEN_PX = -1
_CANVAS_WIDTH, _CANVAS_HEIGHT = 360, 180


def screen_position(
    azimuth_deg: ArrayLike, elevation_deg: ArrayLike, view: View
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Is a labelled direction in the picture, and at which pixel.

    As Sony's generator does it: the label, in whole degrees, lights one pixel of an equirectangular canvas of 360x180
    (column 180 - azimuth, row 90 - elevation); it is on screen when the bilinear projection of the canvas has any
    light, and its position is the rounded centroid of that light. Hence labels lie half a degree to the right of the
    true direction and below it, are pushed inwards at the edges, and count as on screen up to one degree outside.

    Args:
        azimuth_deg: any shape, after rotation by the yaw, positive to the left; fractions are rounded.
        elevation_deg: the same shape, positive upwards, -90..90.
        view: the picture.

    Returns:
        bool, int64 column and int64 row, of the arguments' shape; positions off screen are -1.
    """
    azimuth, elevation = np.broadcast_arrays(np.rint(azimuth_deg), np.rint(elevation_deg))
    column = (180 - azimuth.astype(np.int64)) % _CANVAS_WIDTH
    row = (90 - elevation.astype(np.int64)).clip(0, _CANVAS_HEIGHT - 1)
    x_px, y_px = _lit_positions(view)
    x_px, y_px = x_px[row, column], y_px[row, column]
    return x_px != OFF_SCREEN_PX, x_px, y_px


def true_position(azimuth_deg: ArrayLike, elevation_deg: ArrayLike, view: View) -> tuple[np.ndarray, np.ndarray]:
    """Column and row, float64 pixels, of a direction in a pinhole camera; NaN for what is behind it.

    Azimuth, after rotation by the yaw, is positive to the left, elevation upwards. Positions may lie outside of the
    picture.
    """
    azimuth, elevation = np.broadcast_arrays(np.radians(azimuth_deg), np.radians(elevation_deg))
    ahead = np.where(np.cos(azimuth) > 1e-9, np.cos(azimuth), np.nan)
    x_px = (view.width_px - 1) / 2 * (1 - np.sin(azimuth) / ahead / view.right_edge)
    y_px = (view.height_px - 1) / 2 * (1 - np.tan(elevation) / ahead / view.top_edge)
    return x_px, y_px


def azimuth_at(x_px: ArrayLike, view: View) -> np.ndarray:
    """Undoes `true_position` on the horizon: columns, also between pixels, to azimuths in degrees."""
    return np.degrees(np.arctan(view.right_edge * (1 - 2 * np.asarray(x_px) / (view.width_px - 1))))


def mirror_x_px(x_px: ArrayLike, width_px: int) -> np.ndarray:
    """The column after the picture is mirrored left to right."""
    return width_px - 1 - np.asarray(x_px)


@lru_cache(8)
def _lit_positions(view: View) -> tuple[np.ndarray, np.ndarray]:
    """Rounded centroid, int64 (180, 360) columns and rows, of the light of each pixel of the canvas; -1 for none."""
    column, row = source_pixels(view, _CANVAS_WIDTH, _CANVAS_HEIGHT)
    y_px, x_px = np.indices(column.shape)
    light, light_x, light_y = np.zeros((3, _CANVAS_WIDTH * _CANVAS_HEIGHT))
    for below in (0, 1):
        for beside in (0, 1):
            lit_column, lit_row = np.floor(column) + beside, np.floor(row) + below
            weight = (1 - abs(column - lit_column)) * (1 - abs(row - lit_row))
            lit_row = lit_row.clip(0, _CANVAS_HEIGHT - 1)
            cell = (lit_row * _CANVAS_WIDTH + lit_column % _CANVAS_WIDTH).astype(np.int64).ravel()
            light += np.bincount(cell, weight.ravel(), len(light))
            light_x += np.bincount(cell, (weight * x_px).ravel(), len(light))
            light_y += np.bincount(cell, (weight * y_px).ravel(), len(light))
    positions = []
    for moment in (light_x, light_y):
        centroid = np.rint(np.divide(moment, light, out=np.full_like(light, OFF_SCREEN_PX), where=light > 0))
        positions.append(centroid.astype(np.int64).reshape(_CANVAS_HEIGHT, _CANVAS_WIDTH))
    return positions[0], positions[1]
