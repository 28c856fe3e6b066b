"""The place of a sound drawn into the picture, as a bright column where it comes from, and read from it."""

import numpy as np
from scipy.ndimage import gaussian_filter1d

from savg_ray.spatial.perspective import View
from savg_ray.spatial.screen import azimuth_at, true_position

_WIDTH = 1 / 12  # of the picture: the column's standard deviation
_SMOOTHING_FRAMES = 2.0


def drawn_places(pan: np.ndarray, width_px: int) -> np.ndarray:
    """Pans, float (F,) from 1, left, to -1, right, to brightness in [-1, 1] of columns, float32 (F, W).

    A source on the horizon is bright where a camera with the data set's field of view sees it, one beyond at the
    edge.
    """
    view = View(width_px, width_px)
    edge_deg = view.hfov_deg / 2
    azimuth_deg = np.degrees(np.arcsin(np.asarray(pan, np.float64))).clip(-edge_deg, edge_deg)
    x_px, _ = true_position(azimuth_deg, 0, view)
    distance_px = np.arange(width_px) - x_px[:, None]
    return (2 * np.exp(-0.5 * (distance_px / (_WIDTH * width_px)) ** 2) - 1).astype(np.float32)


def read_places(columns: np.ndarray) -> np.ndarray:
    """Undoes `drawn_places`: brightness (F, W), noisy, to pans (F,).

    Of several bright columns the brightest counts. Sources move slowly, so that frames near in time are averaged.
    """
    width_px = columns.shape[1]
    view = View(width_px, width_px)
    light = gaussian_filter1d(columns.astype(np.float64), _SMOOTHING_FRAMES, axis=0, mode="nearest")
    blurred = gaussian_filter1d(light, _WIDTH * width_px, axis=1, mode="constant", cval=-1)
    brightest = blurred.argmax(axis=1)[:, None]
    near = np.abs(np.arange(width_px) - brightest) <= 2 * _WIDTH * width_px
    weight = np.where(near, (light + 1).clip(min=1e-6), 0)
    x_px = (weight * np.arange(width_px)).sum(axis=1) / weight.sum(axis=1)
    return np.sin(np.radians(azimuth_at(x_px, view)))
