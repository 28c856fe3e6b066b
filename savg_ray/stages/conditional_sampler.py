"""Base diffusion of the half of each clip that is not given: its sound, or its small pictures."""

import numpy as np
import torch
from torch import nn

from savg_ray.sampling.clip_sampler import BaseClip
from savg_ray.sampling.conditional import ConditionalSampler
from savg_ray.sampling.config import BaseConfig, ConditionalConfig
from savg_ray.sampling.parts import Parts
from savg_ray.stages.base_sampler import BaseSamplerStage, picture_columns, seeds_of, sound_columns
from savg_ray.stages.batch import Batch
from savg_ray.stages.network_stage import Precision
from savg_ray.stages.stage import Row
from savg_ray.weights.choose import ResolvedWeights


class _ConditionalStage(BaseSamplerStage):
    """`BaseSamplerStage` with another sampler.

    Args:
        weights: of the network.
        config: what to sample.
        conditional: how.
        precision: of the network's arithmetic.
        clips_at_a_time: as in `BaseSamplerStage`; one with guidance.
    """

    def __init__(
        self,
        weights: ResolvedWeights,
        config: BaseConfig,
        conditional: ConditionalConfig,
        precision: Precision,
        clips_at_a_time: int | None = None,
    ) -> None:
        super().__init__(weights, config, precision, clips_at_a_time)
        self.conditional = conditional

    def _make_sampler(self, network: nn.Module) -> ConditionalSampler:
        return ConditionalSampler(network, self.config, self.conditional, self._parts)

    def _make_parts(self, place: torch.device) -> Parts:
        # Guided clips are solved one by one.
        return super()._make_parts(place) if self.conditional.guidance_scale == 0 else Parts(1)


class SoundSamplerStage(_ConditionalStage):
    """Adds to ``given_pictures`` their ``waveform`` float32 (2, L), ``rate_hz``, ``nfe`` and ``making_notes``."""

    reads = ("given_pictures",)

    def _made_columns(self, done: dict[int, BaseClip], n: int) -> Batch:
        return sound_columns(done, n, self.config)

    def _run(self, rows: list[Row]) -> list[BaseClip]:
        return self._sampler.sound_for(np.stack([row["given_pictures"] for row in rows]), seeds_of(rows))


class PictureSamplerStage(_ConditionalStage):
    """Adds to ``waveform`` its pictures, ``low_res`` float32 (F, 3, h, w) and ``made_frames`` uint8 (F, h, w, 3).

    Also ``making_fps``, ``nfe`` and ``making_notes``.
    """

    reads = ("waveform",)

    def _made_columns(self, done: dict[int, BaseClip], n: int) -> Batch:
        return picture_columns(done, n, self.config)

    def _run(self, rows: list[Row]) -> list[BaseClip]:
        return self._sampler.pictures_for(np.stack([row["waveform"] for row in rows]), seeds_of(rows))
