"""Super-resolution: the small pictures of clips, four times as large, by a diffusion of their own."""

import math

import numpy as np
import torch
from torch import nn

from savg_ray.diffusion import ddim_sample
from savg_ray.diffusion.gaussian_steps import implied_noise
from savg_ray.diffusion.schedules import diffusion_tables
from savg_ray.sampling.clip_seeds import ClipSeeds
from savg_ray.sampling.config import SuperResolutionConfig, SuperResolutionModelConfig
from savg_ray.sampling.parts import Parts

SCALE = 4
_CONTENT_SHAPE = 9 / 16


class Upsampler:
    """Upsamples the frames of several clips at once.

    Args:
        network: a super-resolution UNet, loaded and on its device.
        config: steps, and which rows.
        parts: how many frames pass through the network at a time.
    """

    def __init__(self, network: nn.Module, config: SuperResolutionConfig, parts: Parts) -> None:
        self._network, self._config = network, config
        self._parts = parts
        self._device = next(network.parameters()).device

    def __call__(self, low_res: np.ndarray, seeds: list[ClipSeeds]) -> np.ndarray:
        """Large pictures of clips.

        Args:
            low_res: float32 (B, F, 3, h, w), nominal range [-1, 1], neither clamped nor quantised before
                (official ``multimodal_sample_sr.py``).
            seeds: one a clip; all its frames start from one and the same noise picture, as in the official sampler.

        Returns:
            uint8 RGB (B, F, 4h, 4w, 3).
        """
        n_clips, n_frames, _, height, width = low_res.shape
        rows = upsampled_rows(self._config, height, width)
        noise = np.stack([one.noise("super_resolution", (3, SCALE * height, SCALE * width)) for one in seeds])
        frames = torch.from_numpy(low_res[..., rows, :]).flatten(0, 1)
        starts = torch.from_numpy(noise[:, :, SCALE * rows.start : SCALE * rows.stop])

        def upsample_part(part: slice) -> np.ndarray:
            clip_of_frame = torch.arange(part.start, part.stop) // n_frames
            return self._ddim(frames[part], starts[clip_of_frame])

        large = np.concatenate(self._parts.run(upsample_part, n_clips * n_frames))
        pictures = np.zeros((n_clips * n_frames, SCALE * height, SCALE * width, 3), np.uint8)
        pictures[:, SCALE * rows.start : SCALE * rows.stop] = large
        return pictures.reshape(n_clips, n_frames, *pictures.shape[1:])

    def _ddim(self, low_res: torch.Tensor, noise: torch.Tensor) -> np.ndarray:
        low_res = low_res.to(self._device)

        def model(x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            found = self._network(x, labels, low_res)
            if self._config.predicts == "noise":
                return found
            return implied_noise(diffusion_tables(self._config.total_steps), x, found.float(), labels)

        large = ddim_sample(model, noise.to(self._device), self._config.total_steps, self._config.respacing)
        return to_uint8(large).permute(0, 2, 3, 1).cpu().numpy()


def upsampled_rows(config: SuperResolutionModelConfig, height_px: int, width_px: int) -> slice:
    """The rows of small pictures that are upsampled: all, or those that a 16:9 picture fills.

    The latter are centred, and widened to what the network can take.

    Args:
        config: which of the two.
        height_px: of the small, padded picture.
        width_px: likewise.
    """
    if config.rows == "all":
        return slice(0, height_px)
    multiple = max(1, 2 ** (len(config.shape.multipliers) - 1) * config.shape.patch_px // SCALE)
    n_rows = min(height_px, math.ceil(width_px * _CONTENT_SHAPE / multiple) * multiple)
    first = (height_px - n_rows) // 2
    return slice(first, first + n_rows)


def to_uint8(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures in [-1, 1] as uint8, truncated, not rounded (official ``multimodal_sample_sr.py``)."""
    return ((pictures + 1) * 127.5).clamp(0, 255).to(torch.uint8)
