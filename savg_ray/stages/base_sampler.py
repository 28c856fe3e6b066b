"""Base diffusion of each clip: its small pictures and its stereo sound, from its seeds."""

import numpy as np
import torch
from torch import nn

from savg_ray.networks.compiled_blocks import compile_blocks
from savg_ray.networks.cross_attention import CrossAttention
from savg_ray.networks.mm_residual import ResidualBlock
from savg_ray.networks.mm_unet import MMUNet
from savg_ray.sampling.clip_seeds import ClipSeeds
from savg_ray.sampling.config import BaseConfig
from savg_ray.sampling.fitted_parts import parts_on
from savg_ray.sampling.joint import BaseClip, JointSampler
from savg_ray.sampling.parts import Parts
from savg_ray.sampling.upsampler import to_uint8
from savg_ray.stages.batch import Batch, batch_length, object_column
from savg_ray.stages.network_stage import Precision, arithmetic, place_network
from savg_ray.stages.stage import Row, Stage, asked_outcomes, with_errors
from savg_ray.weights.choose import ResolvedWeights
from savg_ray.weights.fill import fill_deterministic

_FILL_SALT = 11
_BLOCKS = (ResidualBlock, CrossAttention)
_CLIPS_ON_CPU = 1
_MOST_CLIPS_ON_GPU = 8


class BaseSamplerStage(Stage):
    """Adds ``low_res`` float32 (F, 3, h, w) and ``waveform`` float32 (2, L), both nominally in [-1, 1].

    Also ``made_frames``, the pictures as uint8 (F, h, w, 3), ``nfe``, ``making_notes``, ``making_fps`` and
    ``rate_hz``. On a CPU clips pass through the network one by one, so that their bits do not depend on their batch.

    Args:
        weights: of the network.
        config: what to sample.
        precision: of the network's arithmetic.
        clips_at_a_time: on a GPU; None for as many as fit into its memory, up to 8.
    """

    name = "base"
    reads = ()

    def __init__(
        self, weights: ResolvedWeights, config: BaseConfig, precision: Precision, clips_at_a_time: int | None = None
    ) -> None:
        self.weights, self.config, self.precision = weights, config, precision
        self.clips_at_a_time = clips_at_a_time

    def load(self, device: str) -> None:
        """Build the network, load its weights, and move it to the device."""
        place = torch.device(device)
        network = place_network(self.weights, self._build, _fill, place)
        if self.config.compile:
            compile_blocks(network, _BLOCKS)
        self._parts = self._make_parts(place)
        self._sampler = JointSampler(network, self.config, arithmetic(place, self.precision), self._parts)

    def __call__(self, batch: Batch) -> Batch:
        """Sample every row that asks for it."""
        n, config = batch_length(batch), self.config
        # Without steps of its own a clip is made by its whole batch: there is no smaller batch to try.
        done, failed = asked_outcomes(batch, self.name, self._run, split=config.per_clip)
        out = dict(batch)
        out["low_res"] = np.zeros((n, config.n_frames, 3, config.picture_height_px, config.width_px), np.float32)
        out["waveform"] = np.zeros((n, 2, config.n_samples), np.float32)
        out["nfe"] = np.zeros(n, np.int64)
        for i, clip in done.items():
            out["low_res"][i], out["waveform"][i], out["nfe"][i] = clip.video, clip.audio, clip.nfe
        out["made_frames"] = to_uint8(torch.from_numpy(out["low_res"])).permute(0, 1, 3, 4, 2).numpy()
        out["making_notes"] = object_column([self._parts.notes if i in done else "" for i in range(n)])
        out["making_fps"], out["rate_hz"] = np.full(n, config.fps), np.full(n, config.rate_hz)
        return with_errors(out, failed)

    def _run(self, rows: list[Row]) -> list[BaseClip]:
        return self._sampler([ClipSeeds(int(row["seed"]), int(row["index"])) for row in rows])

    def _make_parts(self, place: torch.device) -> Parts:
        if place.type == "cuda" and self.clips_at_a_time is not None:
            return Parts(self.clips_at_a_time, few_sizes=self.config.compile)
        return parts_on(
            place, "clips", on_cpu=_CLIPS_ON_CPU, most=_MOST_CLIPS_ON_GPU, memory_share=self.memory_share,
            few_sizes=self.config.compile,
        )  # fmt: skip

    def _build(self) -> nn.Module:
        return MMUNet(self.config.shape)


def _fill(network: nn.Module) -> nn.Module:
    return fill_deterministic(network, _FILL_SALT)
