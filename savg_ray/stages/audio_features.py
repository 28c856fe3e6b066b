"""AudioCLIP features: what FAD compares."""

from itertools import groupby

import numpy as np
import torch
from torch import nn

from savg_ray.networks import audioclip
from savg_ray.stages.batch import decode
from savg_ray.stages.network_stage import NetworkStage
from savg_ray.stages.stage import Row
from savg_ray.weights.fill import fill_deterministic


class _AudioClipStage(NetworkStage):
    name = "audio_features"

    def build(self) -> nn.Module:
        """The audio tower of AudioCLIP."""
        return audioclip.AudioClipAudio()

    def fill(self, network: nn.Module) -> nn.Module:
        """Deterministic weights."""
        exceptions = audioclip.fill_exceptions(network)
        return fill_deterministic(network, audioclip.FILL_SALT, audioclip.FILL_GAIN, exceptions)

    def _forward(self, waveforms: np.ndarray, batch_statistics: bool) -> np.ndarray:
        with self.arithmetic():
            embedding = self.network(torch.from_numpy(waveforms).to(self.device), batch_statistics=batch_statistics)
        return embedding.float().cpu().numpy()


class AudioFeatureStage(_AudioClipStage):
    """Result per clip: float32 (1, 1024) of the whole clip, the network in evaluation mode.

    The tower expects the range of 16-bit integers, and gets it here; the official run hands it [-1, 1] and so keeps
    only some 330 levels of the sound.
    """

    reads = ("pcm_44k1",)

    def run_together(self, rows: list[Row]) -> list[np.ndarray]:
        """Features of each row; clips of one length share a forward pass."""
        waveforms = [row["pcm_44k1"][:, : row["n_44k1"]].astype(np.float32) for row in rows]
        features: list[np.ndarray] = []
        for _, group in groupby(waveforms, key=lambda waveform: waveform.shape[1]):
            features += [feature[None] for feature in self._forward(np.stack(list(group)), batch_statistics=False)]
        return features


class OfficialAudioFeatureStage(_AudioClipStage):
    """Result per official batch of windows: float32 (k, 1024), normalised by the batch's own statistics.

    A row is a whole batch here, because the official embedding of a window depends on its batch mates. Its column
    ``audio_windows`` holds .npy bytes, int16 (k, 2, 80000).
    """

    reads = ("audio_windows",)

    def run_together(self, rows: list[Row]) -> list[np.ndarray]:
        """Features of each batch of windows."""
        return [
            self._forward(
                decode(row["audio_windows"]).astype(np.float32) / np.float32(32768.0), batch_statistics=True
            )
            for row in rows
        ]
