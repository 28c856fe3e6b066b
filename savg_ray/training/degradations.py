"""Small pictures made worse, so that an upsampler learns to bear what a base diffusion gives it."""

import cv2
import numpy as np
from pydantic import Field, model_validator

from savg_ray.training.config import Section
from savg_ray.training.draws import Draw

_BLUR_RADIUS = 3


class Degradations(Section):
    """What may be done to a small picture, in this order, each to a share of the examples.

    The defaults are the official ones: noise of a deviation evenly from 0 to 20 grey levels for half of the examples,
    then JPEG of a quality from 20 to 80 for half of them, and no blur.

    Attributes:
        blur_share: of the examples that are blurred.
        blur_px: largest deviation of the Gaussian, in small pixels.
        noise_share: of the examples that get normal noise.
        noise_levels: its largest deviation, in grey levels of 0 to 255.
        jpeg_share: of the examples that are compressed.
        jpeg_quality: lowest and highest quality.
    """

    blur_share: float = Field(default=0.0, ge=0, le=1)
    blur_px: float = Field(default=1.0, gt=0)
    noise_share: float = Field(default=0.5, ge=0, le=1)
    noise_levels: float = Field(default=20.0, gt=0)
    jpeg_share: float = Field(default=0.5, ge=0, le=1)
    jpeg_quality: tuple[int, int] = (20, 80)

    @model_validator(mode="after")
    def _qualities_rise(self) -> "Degradations":
        low, high = self.jpeg_quality
        if not 1 <= low <= high <= 100:
            raise ValueError(f"jpeg_quality must rise within 1 to 100, not {low} to {high}")
        return self


def degraded(picture: np.ndarray, degradations: Degradations, draw: Draw) -> np.ndarray:
    """A picture, uint8 RGB (h, w, 3), as float32 (h, w, 3) around 0 to 255; noise is not clipped, JPEG is."""
    picture = picture.astype(np.float32)
    blur, noise, jpeg = (draw.generator(purpose) for purpose in ("blur", "noise on it", "jpeg"))
    if blur.random() < degradations.blur_share:
        side = 2 * int(np.ceil(_BLUR_RADIUS * degradations.blur_px)) + 1
        deviation = max(float(blur.uniform(0, degradations.blur_px)), 1e-3)
        picture = cv2.GaussianBlur(picture, (side, side), deviation, borderType=cv2.BORDER_REPLICATE)
    if noise.random() < degradations.noise_share:
        deviation = np.float32(noise.uniform(0, degradations.noise_levels))
        picture = picture + deviation * noise.standard_normal(picture.shape, np.float32)
    if jpeg.random() < degradations.jpeg_share:
        picture = _compressed(picture, int(jpeg.uniform(*degradations.jpeg_quality)))
    return picture


def _compressed(picture: np.ndarray, quality: int) -> np.ndarray:
    levels = picture.round().clip(0, 255).astype(np.uint8)
    _, data = cv2.imencode(".jpg", levels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[:, :, ::-1].astype(np.float32)
