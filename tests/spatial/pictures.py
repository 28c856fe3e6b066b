"""Equirectangular pictures to look around in."""

import cv2
import numpy as np

from savg_ray.spatial.ambisonics import wrap_deg

WIDTH, HEIGHT = 1440, 720


def directions() -> tuple[np.ndarray, np.ndarray]:
    """Azimuth (positive to the left) and elevation, degrees, of the pixels, (720, 1) and (1, 1440) turned around."""
    azimuth = 180 - (np.arange(WIDTH) + 0.5) * 360 / WIDTH
    elevation = 90 - (np.arange(HEIGHT) + 0.5) * 180 / HEIGHT
    return azimuth[None], elevation[:, None]


def blob(azimuth_deg: float, elevation_deg: float, radius_deg: float = 2.0) -> np.ndarray:
    """Black, uint8 (720, 1440, 3), with a round white spot on the sphere in this direction."""
    azimuth, elevation = np.radians(azimuth_deg), np.radians(elevation_deg)
    around, up = (np.radians(angle) for angle in directions())
    cosine = np.sin(up) * np.sin(elevation) + np.cos(up) * np.cos(elevation) * np.cos(around - azimuth)
    picture = 255 * np.exp(-0.5 * (np.degrees(np.arccos(cosine.clip(-1, 1))) / radius_deg) ** 2)
    return np.repeat(np.rint(picture).astype(np.uint8)[..., None], 3, axis=2)


def textured() -> np.ndarray:
    """uint8 (720, 1440, 3): slow waves that differ by channel, stripes, and fine noise."""
    azimuth, elevation = (np.radians(angle) for angle in directions())
    rng = np.random.default_rng(3)
    stripes = 20 * np.sign(np.sin(40 * azimuth + 9 * elevation))
    channels = [120 + 60 * np.sin((k + 1) * azimuth + k) * np.cos(2 * elevation) + stripes for k in range(3)]
    noise = rng.normal(0, 12, (HEIGHT, WIDTH, 3))
    return np.clip(np.stack(channels, axis=2) + noise, 0, 255).astype(np.uint8)


def stretched(picture: np.ndarray) -> np.ndarray:
    """Any picture at the size of an equirectangular one."""
    return cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


def centroid(picture: np.ndarray) -> tuple[float, float]:
    """Column and row of the light of a picture (H, W, 3)."""
    light = picture[..., 0].astype(float)
    y, x = np.indices(light.shape)
    return (light * x).sum() / light.sum(), (light * y).sum() / light.sum()


def yaw_to(azimuth_deg: float, seen_at_deg: float) -> float:
    """The yaw at which a source at an azimuth is seen at another, in whole degrees 0..359."""
    return float(wrap_deg(seen_at_deg - azimuth_deg) % 360)
