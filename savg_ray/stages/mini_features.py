"""Features of the small networks: what fvd_mini, kvd_mini and fad_mini compare."""

from abc import abstractmethod

import numpy as np
import torch
from torch import nn

from savg_ray.networks import audio_mini, video_mini
from savg_ray.stages.network_stage import NetworkStage
from savg_ray.stages.stage import Row
from savg_ray.weights.fill import fill_deterministic


class _MiniFeatureStage(NetworkStage):
    """Result per clip: float32 (1, 64) of the whole clip."""

    @abstractmethod
    def media(self, row: Row) -> np.ndarray:
        """What the network sees or hears of a row."""

    def run_together(self, rows: list[Row]) -> list[np.ndarray]:
        """Features of each row, one after another: small networks gain nothing from larger batches."""
        return [self._forward(self.media(row)) for row in rows]

    def _forward(self, media: np.ndarray) -> np.ndarray:
        with self.arithmetic():
            return self.network(torch.from_numpy(np.array(media))[None].to(self.device)).float().cpu().numpy()


class VideoMiniStage(_MiniFeatureStage):
    """Features of the pictures."""

    name = "video_features"
    reads = ("frames",)

    def build(self) -> nn.Module:
        """The small network for pictures."""
        return video_mini.VideoMini()

    def fill(self, network: nn.Module) -> nn.Module:
        """Deterministic weights."""
        return fill_deterministic(network, video_mini.FILL_SALT, video_mini.FILL_GAIN)

    def media(self, row: Row) -> np.ndarray:
        """uint8 (T, H, W, 3)."""
        return row["frames"][: row["n_frames"]]


class AudioMiniStage(_MiniFeatureStage):
    """Features of the sound at 16 kHz."""

    name = "audio_features"
    reads = ("pcm_16k",)

    def build(self) -> nn.Module:
        """The small network for stereo sound."""
        return audio_mini.AudioMini()

    def fill(self, network: nn.Module) -> nn.Module:
        """Deterministic weights."""
        return fill_deterministic(network, audio_mini.FILL_SALT, audio_mini.FILL_GAIN)

    def media(self, row: Row) -> np.ndarray:
        """float32 (2, L) in [-1, 1]."""
        return row["pcm_16k"][:, : row["n_16k"]].astype(np.float32) / np.float32(32768.0)
