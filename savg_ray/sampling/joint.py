"""The base diffusion: small pictures and stereo sound of clips, from their seeds."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from savg_ray.diffusion import dpm_solver_adaptive, dpm_solver_multistep, dpm_solver_singlestep
from savg_ray.diffusion.gaussian_steps import implied_noise
from savg_ray.diffusion.network_calls import Solution
from savg_ray.diffusion.noise_schedule import TOTAL_STEPS
from savg_ray.diffusion.schedules import diffusion_tables
from savg_ray.diffusion.states import Modalities, each
from savg_ray.sampling.clip_seeds import ClipSeeds
from savg_ray.sampling.config import BaseConfig, BaseModelConfig
from savg_ray.sampling.parts import Parts
from savg_ray.sampling.sound_form import N_COLOURS, colour_gains, heard_sound

_SINGLESTEP_ORDER = 3


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


class JointSampler:
    """Solves the diffusion for several clips at once.

    Args:
        network: a multimodal UNet, loaded and on its device.
        config: sizes and solver.
        arithmetic: the context in which the network runs (its precision).
        parts: how many clips pass through the network at a time.
    """

    def __init__(
        self, network: nn.Module, config: BaseConfig, arithmetic: AbstractContextManager, parts: Parts
    ) -> None:
        self._network, self._config = network, config
        self._arithmetic, self._parts = arithmetic, parts
        self._device = next(network.parameters()).device
        self._seeds: list[ClipSeeds] = []
        self._shifts = torch.zeros(0, 0)

    def __call__(self, seeds: list[ClipSeeds]) -> list[BaseClip]:
        """The clips of some seeds.

        With ``per_clip`` a clip has its own steps and window shifts and does not depend on the others; without, all
        step as one and share the first one's shifts, as in the official sampler.
        """
        config = self._config
        self._seeds = seeds
        noise = {
            "video": self._noise("video", (config.n_frames, config.n_colours, config.height_px, config.width_px)),
            "audio": self._noise("audio", (config.n_channels, config.n_samples)),
        }
        solution = self._solve(noise)
        video, audio = (solution.sample[name].cpu() for name in ("video", "audio"))
        sounds = [heard_sound(*clip, config) for clip in zip(audio.numpy(), video.numpy(), strict=True)]
        pictures = padded(video[:, :, :N_COLOURS], config).numpy()
        calls = [trace.nfe for trace in solution.traces] if solution.per_sample else [solution.nfe] * len(seeds)
        return [BaseClip(*clip) for clip in zip(pictures, sounds, calls, strict=True)]

    def _solve(self, noise: Modalities) -> Solution:
        config = self._config
        if config.solver == "adaptive":
            return dpm_solver_adaptive(
                self._predict, noise, thresholding=config.thresholding, per_sample=config.per_clip,
                announce=self._announce,
            )  # fmt: skip
        if config.solver == "multistep":
            return dpm_solver_multistep(
                self._predict, noise, config.steps, thresholding=config.thresholding, announce=self._announce
            )
        return dpm_solver_singlestep(
            self._predict, noise, config.steps, _SINGLESTEP_ORDER, "logSNR", announce=self._announce
        )

    def _noise(self, purpose: str, shape: Sequence[int]) -> torch.Tensor:
        # Drawn on the CPU, where every machine draws the same.
        return torch.from_numpy(np.stack([one.noise(purpose, shape) for one in self._seeds])).to(self._device)

    def _announce(self, rows: Sequence[int], calls: Sequence[int]) -> None:
        bounds = self._network.shift_ranges
        whose = rows if self._config.per_clip else [0] * len(rows)
        drawn = [self._seeds[row].shifts(call, bounds) for row, call in zip(whose, calls, strict=True)]
        self._shifts = torch.from_numpy(np.stack(drawn)).to(self._device)

    def _predict(self, x: Modalities, labels: torch.Tensor) -> Modalities:
        def predict_part(part: slice) -> tuple[torch.Tensor, torch.Tensor]:
            with self._arithmetic:
                return self._network(x["video"][part], x["audio"][part], labels[part], self._shifts[part])

        videos, audios = zip(*self._parts.run(predict_part, len(labels)), strict=True)
        found = {"video": torch.cat(videos), "audio": torch.cat(audios)}
        if self._config.predicts == "noise":
            return found
        tables = diffusion_tables(TOTAL_STEPS)
        found["video"] = found["video"] * colour_gains(self._config, self._device)
        return each(lambda state, clean: implied_noise(tables, state, clean.float(), labels), x, found)


def padded(video: torch.Tensor, config: BaseModelConfig) -> torch.Tensor:
    """Pictures (..., H, W) in [-1, 1] with the black rows of the configuration above and below."""
    rows = (config.first_row, config.picture_height_px - config.height_px - config.first_row)
    return torch.nn.functional.pad(video, (0, 0, *rows), value=-1.0) if any(rows) else video
