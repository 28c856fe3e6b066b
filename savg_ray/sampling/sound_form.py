"""Sound as the base diffusion knows it: left and right, or one sound whose place is drawn into the pictures."""

import numpy as np
import torch

from savg_ray.sampling.config import BaseModelConfig
from savg_ray.spatial.panning import mid_and_pan, panned
from savg_ray.spatial.place_map import drawn_places, read_places

N_COLOURS = 3


def diffusion_sound(stereo: np.ndarray, config: BaseModelConfig) -> tuple[np.ndarray, np.ndarray | None]:
    """A clip's sound, and the fourth colour of its pictures where the configuration asks for one.

    Args:
        stereo: float32 (2, L), left and right, full scale 1.
        config: sizes and form.

    Returns:
        float32 (2, L) and None, or (1, L) and brightness in [-1, 1] of every frame's columns, (F, W).
    """
    gain = np.float32(config.sound_gain)
    if config.sound_form == "left_right":
        return stereo * gain, None
    mid, pan = mid_and_pan(stereo, config.rate_hz, config.n_frames)
    return mid[None] * gain, drawn_places(pan, config.width_px)


def heard_sound(sound: np.ndarray, video: np.ndarray, config: BaseModelConfig) -> np.ndarray:
    """Left and right, float32 (2, L), of sound and pictures (F, C, H, W) as the diffusion made them."""
    sound = sound / np.float32(config.sound_gain)
    if config.sound_form == "left_right":
        return sound
    return panned(sound[0], read_places(video[:, N_COLOURS].mean(axis=1) / config.place_gain))


def place_colour(places: torch.Tensor, height_px: int) -> torch.Tensor:
    """Brightness of columns, (B, F, W), as a colour of pictures, (B, F, 1, height_px, W)."""
    return places[:, :, None, None].expand(-1, -1, 1, height_px, -1)


def colour_gains(config: BaseModelConfig, device: torch.device) -> torch.Tensor:
    """By how much the diffusion makes each colour of clean pictures larger, float32 (C, 1, 1).

    A network that puts out clean pictures does so before this, so that an error of the fourth colour weighs as much
    as others, however faint it is.
    """
    n_places = config.n_colours - N_COLOURS
    return torch.tensor([1.0] * N_COLOURS + [config.place_gain] * n_places, device=device)[:, None, None]
