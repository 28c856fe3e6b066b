"""A clip's pictures as the base diffusion knows them: small, and without the rows that it never sees."""

import numpy as np

from savg_ray.media.pictures import fitted
from savg_ray.sampling.config import BaseModelConfig


def small_pictures(frames: np.ndarray, config: BaseModelConfig, antialias: bool) -> np.ndarray:
    """Pictures of any size, uint8 (T, H, W, 3), at that of the network, (T, height_px, width_px, 3).

    The same in training and in sampling: fitted into the picture with its black rows, of which the network's are cut.

    Args:
        frames: the pictures.
        config: sizes.
        antialias: average over what a small pixel covers; officially pictures are made small without.
    """
    small = fitted(frames, config.picture_height_px, config.width_px, antialias)
    return np.ascontiguousarray(small[:, config.first_row : config.first_row + config.height_px])
