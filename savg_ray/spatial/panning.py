"""Stereo as one sound and the place between left and right from which it comes, and back."""

import numpy as np
from scipy.ndimage import gaussian_filter1d

_PIECES_PER_S = 100
_SMOOTHING_S = 0.6  # the standard deviation; events of curated clips last longer
_SILENCE = 2.5e-4  # softer than this, root mean square, a sound comes from nowhere in particular


def mid_and_pan(stereo: np.ndarray, rate_hz: int, n_frames: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean of both channels, and by how much of it the left one is louder than the mean.

    For one source that two cardioids hear (`savg_ray.spatial.ambisonics.stereo`) the pan is sin(azimuth) ·
    cos(elevation): 1 is left, 0 the middle, -1 right. It is the one that fits the difference of the channels best
    over about a second. Reverberation from other sides is lost.

    Args:
        stereo: float (2, L), left and right, full scale 1.
        rate_hz: samples per second.
        n_frames: how many pans there shall be, at the middles of as many equal stretches.

    Returns:
        Mid, float32 (L,), and pan in [-1, 1], float32 (n_frames,), 0 in silence.
    """
    left, right = stereo.astype(np.float64)
    mid, side = (left + right) / 2, (left - right) / 2
    pan = _slow(mid * side, rate_hz) / (_slow(mid * mid, rate_hz) + _SILENCE**2)
    at = _middles(n_frames, len(mid)) * len(pan) / len(mid) - 0.5
    pan = np.interp(at, np.arange(len(pan)), pan.clip(-1, 1))
    return mid.astype(np.float32), pan.astype(np.float32)


def panned(mid: np.ndarray, pan: np.ndarray) -> np.ndarray:
    """Undoes `mid_and_pan` for a single source: (L,) and (n_frames,) to left and right, float32 (2, L)."""
    places = np.interp(np.arange(len(mid)) + 0.5, _middles(len(pan), len(mid)), pan)
    return np.stack([mid * (1 + places), mid * (1 - places)]).astype(np.float32)


def _middles(n_frames: int, length: int) -> np.ndarray:
    return (np.arange(n_frames) + 0.5) * length / n_frames


def _slow(values: np.ndarray, rate_hz: int) -> np.ndarray:
    """(L,) in pieces of 10 ms, smoothed over time."""
    piece = round(rate_hz / _PIECES_PER_S)
    n_pieces = -(-len(values) // piece)
    whole = np.pad(values, (0, n_pieces * piece - len(values)), mode="edge")
    means = whole.reshape(n_pieces, piece).mean(axis=1)
    return gaussian_filter1d(means, _SMOOTHING_S * _PIECES_PER_S, mode="nearest")
