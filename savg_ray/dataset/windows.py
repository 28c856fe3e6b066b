"""Candidates: which windows of a recording are looked at, and in which directions."""

import math
import random
from dataclasses import dataclass

import numpy as np

from savg_ray.dataset.config import LABEL_RATE_HZ, GridConfig, RandomConfig

# Lengths are divisions of whole numbers: 7.3 s of 24 kHz sound must not become 72.999 label frames.
_ROUNDING_FRAMES = 1e-6


@dataclass(frozen=True, eq=False)
class Candidates:
    """Windows of one recording, sorted by start and yaw, none twice.

    Attributes:
        start_frame: int (n,), first label frame of 0.1 s.
        yaw_deg: int (n,), 0..359, viewing direction, positive to the right.
    """

    start_frame: np.ndarray
    yaw_deg: np.ndarray

    def __len__(self) -> int:
        return len(self.start_frame)


def n_label_frames(sound_s: float, video_s: float) -> int:
    """Whole label frames that both sound and video cover."""
    return math.floor(LABEL_RATE_HZ * min(sound_s, video_s) + _ROUNDING_FRAMES)


def grid_candidates(n_frames: int, length_frames: int, grid: GridConfig) -> Candidates:
    """Every start of the grid whose window ends within ``n_frames``, at every yaw of the grid."""
    starts = np.arange(grid.first_start_frame, n_frames - length_frames + 1, grid.step_frames)
    yaws = np.arange(grid.first_yaw_deg, grid.first_yaw_deg + 360, grid.yaw_step_deg)
    yaws = np.sort(yaws % 360)
    return Candidates(np.repeat(starts, len(yaws)), np.tile(yaws, len(starts)))


def listed_candidates(pairs: list[tuple[int, int]]) -> Candidates:
    """Candidates from (start frame, yaw in degrees)."""
    table = np.array(sorted(pairs), np.int64).reshape(-1, 2)
    return Candidates(table[:, 0], table[:, 1])


def draw_candidates(
    n_frames: dict[str, int], length_frames: int, drawing: RandomConfig
) -> dict[str, list[tuple[int, int]]]:
    """The drawn (start frame, yaw) of each recording.

    A recording is drawn by its length, then a start frame, then a yaw of whole degrees, all from Python's generator
    in this order; a clip that was drawn before is drawn anew. With the same recordings these are the draws of the
    official DCASE2025 generator (SonyResearch/dcase2025_stereo_seld_data_generator). There a clip that would be too
    loud is drawn anew as well; here it stays in the list, rejected, so that the list is known before any sound is
    read.

    Args:
        n_frames: label frames by recording, in the order of part and name.
        length_frames: of a window.
        drawing: how many, and the seed.

    Returns:
        By recording; at most as many as there are different clips.
    """
    generator = random.Random(drawing.seed)
    long_enough = {name: n for name, n in n_frames.items() if n >= length_frames}
    names, weights = list(long_enough), list(long_enough.values())
    n_possible = sum(n - length_frames + 1 for n in weights) * 360
    drawn: dict[tuple[str, int, int], None] = {}
    while len(drawn) < min(drawing.n_clips, n_possible):
        name = generator.choices(names, weights=weights)[0]
        start = generator.randint(0, long_enough[name] - length_frames)
        drawn[name, start, generator.randint(0, 359)] = None
    by_recording: dict[str, list[tuple[int, int]]] = {name: [] for name in n_frames}
    for name, start, yaw in drawn:
        by_recording[name].append((start, yaw))
    return by_recording
