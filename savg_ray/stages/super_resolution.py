"""Super-resolution of each clip: its pictures four times as large."""

import numpy as np
import torch
from torch import nn

from savg_ray.networks.sr_unet import REPEATED_BLOCKS, SRUNet
from savg_ray.sampling.clip_seeds import ClipSeeds
from savg_ray.sampling.config import SuperResolutionConfig
from savg_ray.sampling.fitted_parts import parts_on
from savg_ray.sampling.upsampler import SCALE, Upsampler
from savg_ray.stages.batch import Batch, object_column
from savg_ray.stages.diffusion_network import DiffusionNetwork
from savg_ray.stages.network_stage import Precision
from savg_ray.stages.stage import Row, Stage, asked_outcomes, with_errors
from savg_ray.weights.choose import ResolvedWeights

_FILL_SALT = 21
_FRAMES_ON_CPU = 4
_MOST_FRAMES_ON_GPU = 64


class SuperResolutionStage(Stage):
    """Puts pictures made from ``low_res``, uint8 RGB (F, 4h, 4w, 3), in the place of ``made_frames``.

    Frames of several clips share forward passes on a GPU, as many as fit into its memory, up to 64. On a CPU clips
    are upsampled one by one, so that their bits do not depend on their batch.
    """

    name = "super_resolution"
    reads = ("low_res",)

    def __init__(self, weights: ResolvedWeights, config: SuperResolutionConfig, precision: Precision) -> None:
        self.weights, self.config, self.precision = weights, config, precision

    def load(self, device: str) -> None:
        """Build the network, load its weights, and move it to the device."""
        place = torch.device(device)
        network = DiffusionNetwork(self._build, REPEATED_BLOCKS, _FILL_SALT)
        self._together = place.type == "cuda"
        self._parts = parts_on(
            place, "frames", on_cpu=_FRAMES_ON_CPU, most=_MOST_FRAMES_ON_GPU,
            memory_share=self.memory_share * self.config.plain_share, few_sizes=self.config.few_sizes,
        )  # fmt: skip
        placed = network.placed(self.weights, place, self.precision, self.config)
        self._upsampler = Upsampler(placed, self.config, self._parts)

    def __call__(self, batch: Batch) -> Batch:
        """Upsample every row that asks for it."""
        n, n_frames, _, height, width = batch["low_res"].shape
        done, failed = asked_outcomes(batch, self.name, self._run)
        out = {key: column for key, column in batch.items() if key not in self.drops}
        out["made_frames"] = np.zeros((n, n_frames, SCALE * height, SCALE * width, 3), np.uint8)
        notes = list(batch["making_notes"])
        for i, pictures in done.items():
            out["made_frames"][i] = pictures
            notes[i] = "; ".join(filter(None, (notes[i], self._parts.notes)))
        out["making_notes"] = object_column(notes)
        return with_errors(out, failed)

    def _run(self, rows: list[Row]) -> list[np.ndarray]:
        groups = [rows] if self._together else [[row] for row in rows]
        return [pictures for group in groups for pictures in self._upsample(group)]

    def _upsample(self, rows: list[Row]) -> np.ndarray:
        seeds = [ClipSeeds(int(row["seed"]), int(row["index"])) for row in rows]
        return self._upsampler(np.stack([row["low_res"] for row in rows]), seeds)

    def _build(self) -> nn.Module:
        return SRUNet(self.config.shape)
