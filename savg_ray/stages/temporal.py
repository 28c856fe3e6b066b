"""Temporal AV-Align of each clip: onsets in the sound against peaks of motion in the picture."""

import numpy as np

from savg_ray.metrics.temporal_av_align import temporal_av_align
from savg_ray.stages.stage import ModelStage, Row


class TemporalStage(ModelStage):
    """Result per clip: float64 (1,), the score, NaN where it is undefined (neither onsets nor peaks).

    Args:
        one_to_one: let each motion peak serve one onset only (``savg``); the official count may exceed 1.
    """

    name = "temporal"
    reads = ("frames", "pcm_16k")

    def __init__(self, one_to_one: bool) -> None:
        self.one_to_one = one_to_one

    def load(self, device: str) -> None:
        """Score a second of noise: librosa is slow at its first use, and the first clip should not wait for it."""
        rng = np.random.Generator(np.random.PCG64(0))
        frames = rng.integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
        temporal_av_align(frames, 4.0, rng.standard_normal((2, 16000)).astype(np.float32), 16000)

    def run(self, rows: list[Row]) -> list[np.ndarray]:
        """Score each row."""
        return [self._score(row) for row in rows]

    def _score(self, row: Row) -> np.ndarray:
        waveform = row["pcm_16k"][:, : row["n_16k"]].astype(np.float32) / np.float32(32768.0)
        frames = row["frames"][: row["n_frames"]]
        score = temporal_av_align(frames, float(row["fps"]), waveform, 16000, one_to_one=self.one_to_one)
        return np.array([np.nan if score is None else score])
