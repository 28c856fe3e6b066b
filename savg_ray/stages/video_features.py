"""I3D features of each clip: what FVD and KVD compare."""

from itertools import groupby

import numpy as np
import torch
from torch import nn

from savg_ray.networks import i3d
from savg_ray.protocols.official_windows import window_video
from savg_ray.stages.batch import decode
from savg_ray.stages.network_stage import NetworkStage, Precision
from savg_ray.stages.stage import Row
from savg_ray.weights.choose import ResolvedWeights
from savg_ray.weights.fill import fill_deterministic


class VideoFeatureStage(NetworkStage):
    """Result per clip: float32 (1, 400) of the whole clip, or (k, 400) of its windows under the official protocol.

    Args:
        official: score the windows named in ``windows`` rather than the whole clip.
    """

    name = "video_features"
    reads = ("frames",)

    def __init__(self, weights: ResolvedWeights, precision: Precision, official: bool) -> None:
        super().__init__(weights, precision)
        self.official = official

    def build(self) -> nn.Module:
        """I3D with 400 outputs."""
        return i3d.I3D()

    def fill(self, network: nn.Module) -> nn.Module:
        """Deterministic weights."""
        return fill_deterministic(network, i3d.FILL_SALT, i3d.FILL_GAIN)

    def run_together(self, rows: list[Row]) -> list[np.ndarray]:
        """Features of each row; videos of one length share a forward pass."""
        videos = [self._videos(row) for row in rows]
        features: list[np.ndarray] = []
        for _, group in groupby(videos, key=lambda video: video.shape[1]):
            members = list(group)
            stacked = self._forward(np.concatenate(members))
            features += np.split(stacked, np.cumsum([len(member) for member in members])[:-1])
        return features

    def _videos(self, row: Row) -> np.ndarray:
        frames = row["frames"][: row["n_frames"]]
        if not self.official:
            return frames[None]
        return np.stack([window_video(frames, int(k), float(row["fps"])) for k in decode(row["windows"])])

    def _forward(self, videos: np.ndarray) -> np.ndarray:
        with self.arithmetic():
            return self.network(torch.from_numpy(np.array(videos)).to(self.device)).float().cpu().numpy()
