"""First-order ambisonics (FOA) to stereo: looking around in a recorded sound field.

Channels are in the order of STARSS23's files: W, Y, Z, X, with SN3D gains. Azimuths are positive to the left (0 is in
front, +90 left), elevations positive upwards, yaws positive to the right. Formulas: the DCASE2025 stereo SELD
generator (SonyResearch/dcase2025_stereo_seld_data_generator).
"""

import math

import numpy as np
from numpy.typing import ArrayLike

_CHANNELS = "W, Y, Z, X"


def encode_gains(azimuth_deg: ArrayLike, elevation_deg: ArrayLike) -> np.ndarray:
    """What each channel W, Y, Z, X holds of a plane wave: float64 (4,), or (4, N) for arrays of N directions."""
    azimuth, elevation = np.broadcast_arrays(np.radians(azimuth_deg), np.radians(elevation_deg))
    y = np.sin(azimuth) * np.cos(elevation)
    x = np.cos(azimuth) * np.cos(elevation)
    return np.stack([np.ones_like(y), y, np.sin(elevation), x])


def rotate_yaw(foa: np.ndarray, yaw_deg: float) -> np.ndarray:
    """The field as heard after turning the head ``yaw_deg`` to the right: every azimuth grows by ``yaw_deg``.

    Args:
        foa: float (4, L), channels W, Y, Z, X.
        yaw_deg: positive to the right.

    Returns:
        A new array (4, L) of the same dtype.
    """
    w, y, z, x = _four_channels(foa)
    sine, cosine = math.sin(math.radians(yaw_deg)), math.cos(math.radians(yaw_deg))
    return np.stack([w, sine * x + cosine * y, z, cosine * x - sine * y])


def stereo(foa: np.ndarray) -> np.ndarray:
    """Left W + Y and right W - Y, (2, L) of the same dtype: two cardioids that look to the sides."""
    w, y, _, _ = _four_channels(foa)
    return np.stack([w + y, w - y])


def wrap_deg(angle_deg: ArrayLike) -> np.ndarray:
    """The same direction in [-180, 180)."""
    return (np.asarray(angle_deg) + 180) % 360 - 180


def rotated_azimuth_deg(azimuth_deg: ArrayLike, yaw_deg: float) -> np.ndarray:
    """Azimuth in [-180, 180) of a source after turning the head ``yaw_deg`` to the right."""
    return wrap_deg(np.asarray(azimuth_deg) + yaw_deg)


def level_difference_db(azimuth_deg: ArrayLike, elevation_deg: ArrayLike) -> np.ndarray:
    """By how much the left channel of `stereo` is louder than the right one, for a source in this direction.

    20 log10((1 + s) / (1 - s)) with s = sin(azimuth) cos(elevation); infinite straight left and right.
    """
    side = np.sin(np.radians(azimuth_deg)) * np.cos(np.radians(elevation_deg))
    with np.errstate(divide="ignore"):
        return 20 * (np.log10(1 + side) - np.log10(1 - side))


def _four_channels(foa: np.ndarray) -> np.ndarray:
    if foa.ndim != 2 or foa.shape[0] != 4:
        raise ValueError(f"first-order ambisonics is (4, L), channels {_CHANNELS}, not {foa.shape}")
    return foa
