"""Base diffusion of each clip: its small pictures and its stereo sound, from its seeds."""

import numpy as np
import torch
from torch import nn

from savg_ray.networks.cross_attention import CrossAttention
from savg_ray.networks.mm_residual import ResidualBlock
from savg_ray.networks.mm_unet import MMUNet
from savg_ray.sampling.clip_sampler import BaseClip, ClipSampler
from savg_ray.sampling.clip_seeds import ClipSeeds
from savg_ray.sampling.config import BaseConfig
from savg_ray.sampling.fitted_parts import parts_on
from savg_ray.sampling.joint import JointSampler
from savg_ray.sampling.parts import Parts
from savg_ray.sampling.upsampler import to_uint8
from savg_ray.stages.batch import Batch, batch_length, object_column
from savg_ray.stages.diffusion_network import DiffusionNetwork
from savg_ray.stages.network_stage import Precision
from savg_ray.stages.stage import Row, Stage, asked_outcomes, with_errors
from savg_ray.weights.choose import ResolvedWeights

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

    @property
    def rows_stand_alone(self) -> bool:
        """Without steps of its own a clip is made by its whole batch."""
        return self.config.per_clip

    def load(self, device: str) -> None:
        """Build the network, load its weights, and move it to the device."""
        place = torch.device(device)
        network = DiffusionNetwork(self._build, _BLOCKS, _FILL_SALT)
        self._parts = self._make_parts(place)
        self._sampler = self._make_sampler(network.placed(self.weights, place, self.precision, self.config))

    def __call__(self, batch: Batch) -> Batch:
        """Sample every row that asks for it."""
        done, failed = asked_outcomes(batch, self.name, self._run, split=self.rows_stand_alone)
        n = batch_length(batch)
        kept = {key: column for key, column in batch.items() if key not in self.drops}
        return with_errors({**kept, **self._made_columns(done, n), **self._effort(done, n)}, failed)

    def _run(self, rows: list[Row]) -> list[BaseClip]:
        return self._sampler(seeds_of(rows))

    def _made_columns(self, done: dict[int, BaseClip], n: int) -> Batch:
        return picture_columns(done, n, self.config) | sound_columns(done, n, self.config)

    def _effort(self, done: dict[int, BaseClip], n: int) -> Batch:
        return {
            "nfe": np.array([done[i].nfe if i in done else 0 for i in range(n)]),
            "making_notes": object_column([self._parts.notes if i in done else "" for i in range(n)]),
        }

    def _make_sampler(self, network: nn.Module) -> ClipSampler:
        return JointSampler(network, self.config, self._parts)

    def _make_parts(self, place: torch.device) -> Parts:
        if place.type == "cuda" and self.clips_at_a_time is not None:
            return Parts(self.clips_at_a_time, few_sizes=self.config.few_sizes)
        return parts_on(
            place, "clips", on_cpu=_CLIPS_ON_CPU, most=_MOST_CLIPS_ON_GPU,
            memory_share=self.memory_share * self.config.plain_share, few_sizes=self.config.few_sizes,
        )  # fmt: skip

    def _build(self) -> nn.Module:
        return MMUNet(self.config.shape)


def seeds_of(rows: list[Row]) -> list[ClipSeeds]:
    """The randomness of each row."""
    return [ClipSeeds(int(row["seed"]), int(row["index"])) for row in rows]


def picture_columns(done: dict[int, BaseClip], n: int, config: BaseConfig) -> Batch:
    """``low_res``, ``made_frames`` and ``making_fps`` of ``n`` rows, of which some were sampled."""
    low_res = np.zeros((n, config.n_frames, 3, config.picture_height_px, config.width_px), np.float32)
    for i, clip in done.items():
        low_res[i] = clip.video
    made_frames = to_uint8(torch.from_numpy(low_res)).permute(0, 1, 3, 4, 2).numpy()
    return {"low_res": low_res, "made_frames": made_frames, "making_fps": np.full(n, config.fps)}


def sound_columns(done: dict[int, BaseClip], n: int, config: BaseConfig) -> Batch:
    """``waveform`` and ``rate_hz`` of ``n`` rows, of which some were sampled."""
    waveform = np.zeros((n, 2, config.n_samples), np.float32)
    for i, clip in done.items():
        waveform[i] = clip.audio
    return {"waveform": waveform, "rate_hz": np.full(n, config.rate_hz)}
