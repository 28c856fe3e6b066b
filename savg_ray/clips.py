"""The one type for a clip: pictures, stereo sound, and nothing else."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class ClipHeader:
    """What a container tells about a clip without decoding it."""

    n_frames: int
    fps: float
    height_px: int
    width_px: int
    channels: int
    rate_hz: int


@dataclass(frozen=True, eq=False)
class Clip:
    """A decoded clip.

    Attributes:
        id: the file's stem, or the generator's clip id.
        frames: uint8 RGB (T, H, W, 3).
        fps: frames per second.
        waveform: float32 (C, L), nominal range [-1, 1].
        rate_hz: samples per second of ``waveform``.
        path: the file it came from, if any.

    Raises:
        ValueError: an array has another dtype or rank, or a rate is not positive.
    """

    id: str
    frames: np.ndarray
    fps: float
    waveform: np.ndarray
    rate_hz: int
    path: Path | None = None

    def __post_init__(self) -> None:
        if self.frames.dtype != np.uint8 or self.frames.ndim != 4 or self.frames.shape[3] != 3:
            raise ValueError(f"frames must be uint8 (T, H, W, 3), not {self.frames.dtype} {self.frames.shape}")
        if self.waveform.dtype != np.float32 or self.waveform.ndim != 2:
            raise ValueError(f"waveform must be float32 (C, L), not {self.waveform.dtype} {self.waveform.shape}")
        if self.fps <= 0 or self.rate_hz <= 0:
            raise ValueError(f"fps and rate_hz must be positive, not {self.fps} and {self.rate_hz}")

    @property
    def header(self) -> ClipHeader:
        """Sizes and rates alone."""
        n_frames, height, width, _ = self.frames.shape
        return ClipHeader(n_frames, self.fps, height, width, self.waveform.shape[0], self.rate_hz)
