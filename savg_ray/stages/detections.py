"""Persons in each frame of each clip."""

from typing import Literal

import numpy as np
from torch import nn

from savg_ray.metrics.detection_rows import rows_of_boxes
from savg_ray.networks import yolox
from savg_ray.networks.yolox_mmdet import MmdetYoloxTiny
from savg_ray.stages.network_stage import NetworkStage, Precision
from savg_ray.stages.stage import Row
from savg_ray.weights.choose import ResolvedWeights
from savg_ray.weights.fill import fill_deterministic

Backend = Literal["native", "mmdet"]


class DetectionStage(NetworkStage):
    """Result per clip: float64 (n, 6), rows (frame, 0, x0, y0, x1, y1) of the persons, in pixels.

    Args:
        backend: ``native``, or ``mmdet`` for the same boxes through mmdet.
        shape: of the network; mmdet knows that of YOLOX-tiny alone.
    """

    name = "detections"
    reads = ("frames",)

    def __init__(
        self, weights: ResolvedWeights, precision: Precision, backend: Backend, shape: yolox.YoloxConfig
    ) -> None:
        super().__init__(weights, precision)
        self.backend, self.shape = backend, shape

    def build(self) -> nn.Module:
        """YOLOX."""
        return yolox.Yolox(self.shape)

    def fill(self, network: nn.Module) -> nn.Module:
        """Deterministic weights."""
        return fill_deterministic(network, yolox.FILL_SALT, yolox.FILL_GAIN, yolox.fill_exceptions(network))

    def load(self, device: str) -> None:
        """Load the native network, and hand its weights to mmdet, on the CPU, if that is to do the work."""
        super().load(device)
        if self.backend == "mmdet":
            self.network = MmdetYoloxTiny(self.network.state_dict(), "cpu")

    def run_together(self, rows: list[Row]) -> list[np.ndarray]:
        """Persons of each row; the frames of all clips share a forward pass."""
        counts = [int(row["n_frames"]) for row in rows]
        rgb = np.concatenate([row["frames"][:n] for row, n in zip(rows, counts, strict=True)])
        with self.arithmetic():
            detections = self.network(np.ascontiguousarray(rgb[..., ::-1]))
        persons = [yolox.person_boxes(one).float().cpu().numpy() for one in detections]
        ends = np.cumsum(counts)
        return [rows_of_boxes(persons[end - n : end]) for n, end in zip(counts, ends, strict=True)]
