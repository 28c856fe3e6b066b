"""What samplers of clips share: noise from their seeds, calls of the network, and the clip that comes of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from savg_ray.diffusion.gaussian_steps import implied_noise
from savg_ray.diffusion.noise_schedule import TOTAL_STEPS
from savg_ray.diffusion.schedules import diffusion_tables
from savg_ray.diffusion.states import Modalities, each
from savg_ray.sampling.clip_seeds import ClipSeeds, Purpose
from savg_ray.sampling.config import BaseConfig, BaseModelConfig
from savg_ray.sampling.parts import Parts
from savg_ray.sampling.sound_form import N_COLOURS, colour_gains, heard_sound


@dataclass(frozen=True, eq=False)
class BaseClip:
    """One clip as the base diffusion leaves it.

    Attributes:
        video: float32 (F, 3, H, W), nominal range [-1, 1], with the configured black rows.
        audio: float32 (2, L), nominal range [-1, 1].
        nfe: calls of the network that it took.
    """

    video: np.ndarray
    audio: np.ndarray
    nfe: int


class ClipSampler:
    """The network, asked about several clips at once; a subclass says what is asked.

    Args:
        network: a multimodal UNet, loaded and on its device.
        config: sizes and solver.
        parts: how many clips pass through the network at a time.
    """

    def __init__(self, network: nn.Module, config: BaseConfig, parts: Parts) -> None:
        self._network, self._config = network, config
        self._parts = parts
        self._device = next(network.parameters()).device
        self._seeds: list[ClipSeeds] = []
        self._shifts = torch.zeros(0, 0)

    def _start(self, seeds: list[ClipSeeds]) -> Modalities:
        """The noise that some clips begin with; all calls from now on are about them."""
        self._seeds = seeds
        return self._noise("video", "audio")

    def _noise(self, of_video: Purpose, of_audio: Purpose, counter: int = 0) -> Modalities:
        config = self._config
        shapes = {
            "video": (of_video, (config.n_frames, config.n_colours, config.height_px, config.width_px)),
            "audio": (of_audio, (config.n_channels, config.n_samples)),
        }
        # Drawn on the CPU, where every machine draws the same.
        return {
            name: torch.from_numpy(np.stack([one.noise(purpose, shape, counter) for one in self._seeds])).to(
                self._device
            )
            for name, (purpose, shape) in shapes.items()
        }

    def _announce(self, rows: Sequence[int], calls: Sequence[int]) -> None:
        bounds = self._network.shift_ranges
        whose = rows if self._config.per_clip else [0] * len(rows)
        drawn = [self._seeds[row].shifts(call, bounds) for row, call in zip(whose, calls, strict=True)]
        self._shifts = torch.from_numpy(np.stack(drawn)).to(self._device)

    def _predict(self, x: Modalities, labels: torch.Tensor) -> Modalities:
        def predict_part(part: slice) -> tuple[torch.Tensor, torch.Tensor]:
            return self._network(x["video"][part], x["audio"][part], labels[part], self._shifts[part])

        videos, audios = zip(*self._parts.run(predict_part, len(labels)), strict=True)
        found = {"video": torch.cat(videos), "audio": torch.cat(audios)}
        if self._config.predicts == "noise":
            return found
        tables = diffusion_tables(TOTAL_STEPS)
        found["video"] = found["video"] * colour_gains(self._config, self._device)
        return each(lambda state, clean: implied_noise(tables, state, clean.float(), labels), x, found)

    def _finished(self, sample: Modalities, calls: Sequence[int]) -> list[BaseClip]:
        """The clips of a clean state, and of how often each of them was asked about."""
        video, audio = (sample[name].cpu() for name in ("video", "audio"))
        sounds = [heard_sound(*clip, self._config) for clip in zip(audio.numpy(), video.numpy(), strict=True)]
        pictures = padded(video[:, :, :N_COLOURS], self._config).numpy()
        return [BaseClip(*clip) for clip in zip(pictures, sounds, calls, strict=True)]


def padded(video: torch.Tensor, config: BaseModelConfig) -> torch.Tensor:
    """Pictures (..., H, W) in [-1, 1] with the black rows of the configuration above and below."""
    rows = (config.first_row, config.picture_height_px - config.height_px - config.first_row)
    return torch.nn.functional.pad(video, (0, 0, *rows), value=-1.0) if any(rows) else video
