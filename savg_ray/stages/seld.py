"""Sound events of each clip: what is heard, when, and at which x of the picture."""

import numpy as np
from torch import nn

from savg_ray.networks import seld
from savg_ray.seld.events import clip_windows, event_rows, run_windows
from savg_ray.stages.network_stage import NetworkStage, Precision
from savg_ray.stages.stage import Row
from savg_ray.weights.choose import ResolvedWeights
from savg_ray.weights.fill import fill_deterministic


class SeldStage(NetworkStage):
    """Result per clip: float64 (n, 3), rows (frame at 10 Hz, class, azimuth_px).

    Args:
        official: keep the official window starts, one of which is a frame early.
        shape: of the network.
    """

    name = "seld"
    reads = ("pcm_16k",)

    def __init__(
        self, weights: ResolvedWeights, precision: Precision, official: bool, shape: seld.SeldConfig
    ) -> None:
        super().__init__(weights, precision)
        self.official, self.shape = official, shape

    def build(self) -> nn.Module:
        """The stereo SELD network."""
        return seld.SeldNet(self.shape)

    def fill(self, network: nn.Module) -> nn.Module:
        """Deterministic weights."""
        return fill_deterministic(network, seld.FILL_SALT, seld.FILL_GAIN, seld.fill_exceptions(network))

    def run_together(self, rows: list[Row]) -> list[np.ndarray]:
        """Events of each row; the windows of all clips share forward passes."""
        clips = [
            clip_windows(
                row["pcm_16k"][:, : row["n_16k"]].astype(np.float32) / np.float32(32768.0), official=self.official
            )
            for row in rows
        ]
        with self.arithmetic():
            logits, position = run_windows(self.network, np.concatenate([clip.features for clip in clips]))
        ends = np.cumsum([len(clip.windows) for clip in clips])[:-1]
        per_clip = zip(clips, np.split(logits, ends), np.split(position, ends), strict=True)
        return [event_rows(*outputs, clip.windows, clip.n_csv_frames) for clip, *outputs in per_clip]
