"""Spatial AV-Align: is there a person where, and when, the sound comes from?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from savg_ray.errors import ClipError
from savg_ray.metrics.feature_state import keyed_numbers
from savg_ray.metrics.intervals import bootstrap_ratio
from savg_ray.metrics.result import Result

_SELD_FRAMES_PER_S = 10
_MARGIN_PX = 40
_NEIGHBOUR_FRAMES = 1


@dataclass(frozen=True)
class SpatialAlignment:
    """Sound rows with a box (tp) and without one (fn); score = tp / (tp + fn), None when there is no sound row."""

    tp: int
    fn: int
    score: float | None


def spatial_av_align(
    seld_rows: np.ndarray | Sequence[Sequence[float]],
    detection_rows: np.ndarray | Sequence[Sequence[float]],
    *,
    clamp: bool = False,
    n_frames: int = 20,
    fps: float = 4.0,
) -> SpatialAlignment:
    """Count the sound rows that meet a person box, for one clip.

    seld_rows: (R, 3) frame at 10 Hz, class (ignored), x in px; detection_rows: (K, 6) video frame, class (ignored),
    x0, y0, x1, y1 in px; either may be empty. A sound frame f belongs to video frame round(f / 10 * fps), where
    ``n_frames`` itself counts as the last frame; a box of that frame or of a neighbour within 40 px of x is a hit.
    All px values are truncated toward zero first. With ``clamp`` every later sound frame counts as the last one;
    without it ClipError ``frame_out_of_range`` is raised, unless the clip has no box (then every row is a miss).
    ClipError ``bad_rows`` for other columns or values that are not finite. Definition: SAVGBench (2412.13462).
    """
    sounds = _rows(seld_rows, 3, "sound")
    boxes = _rows(detection_rows, 6, "detection")
    if len(sounds) == 0:
        return SpatialAlignment(0, 0, None)
    if len(boxes) == 0:
        return SpatialAlignment(0, len(sounds), 0.0)
    frame = _video_frames(np.trunc(sounds[:, 0]), n_frames, fps, clamp)[:, None]
    x = np.trunc(sounds[:, 2])[:, None]
    box_frame, left, right = np.trunc(boxes[:, 0]), np.trunc(boxes[:, 2]), np.trunc(boxes[:, 4])
    near_in_time = np.abs(box_frame - frame) <= _NEIGHBOUR_FRAMES
    near_in_space = (right >= x - _MARGIN_PX) & (left <= x + _MARGIN_PX)
    tp = int((near_in_time & near_in_space).any(axis=1).sum())
    return SpatialAlignment(tp, len(sounds) - tp, tp / len(sounds))


def _rows(rows: np.ndarray | Sequence[Sequence[float]], columns: int, what: str) -> np.ndarray:
    table = np.asarray(rows, dtype=np.float64)
    if table.size == 0:
        return np.zeros((0, columns))
    if table.ndim != 2 or table.shape[1] != columns:
        raise ClipError("bad_rows", f"The {what} rows have shape {table.shape}; rewrite them with {columns} columns.")
    if not np.isfinite(table).all():
        raise ClipError("bad_rows", f"The {what} rows hold NaN or infinite values; recompute them for this clip.")
    return table


def _video_frames(seld_frames: np.ndarray, n_frames: int, fps: float, clamp: bool) -> np.ndarray:
    frames = np.round(seld_frames / _SELD_FRAMES_PER_S * fps)
    # Rounding sends the last sounds of a clip just past its end, so that one frame too many still belongs to it.
    frames[frames == n_frames] = n_frames - 1
    if clamp:
        frames = np.minimum(frames, n_frames - 1)
    outside = (frames < 0) | (frames >= n_frames)
    if outside.any():
        raise ClipError(
            "frame_out_of_range",
            f"Sound frame {seld_frames[outside][0]:.0f} (10 Hz) lies outside the {n_frames} video frames at "
            f"{fps:g} fps; cut the sound to the video's length or clamp late frames (preset savg).",
        )
    return frames


class SpatialAvAlign:
    """Mergeable Spatial AV-Align: tp and fn pooled over all clips, 95 % interval by bootstrap over clips.

    Pooling is the official definition: clips with more sound rows weigh more.
    """

    def __init__(self, name: str = "spatial_av_align") -> None:
        self.name = name
        self._counts = keyed_numbers("spatial alignment counts")

    def update(self, clip_id: str, tp: int, fn: int) -> None:
        """Remember one clip's counts. Raises UserError when the clip is known with other counts."""
        self._counts.add(clip_id, (int(tp), int(fn)))

    def merge(self, other: "SpatialAvAlign") -> None:
        """Take over the clips of ``other``. Raises UserError when a shared clip's counts differ."""
        self._counts.merge(other._counts)

    def compute(self, ci: bool = True) -> Result:
        """tp / (tp + fn) over all clips; ``n`` counts the clips with sound rows; None when there is no row."""
        counts = np.array(self._counts.in_key_order(), dtype=np.int64).reshape(-1, 2)
        tp, fn = (int(total) for total in counts.sum(axis=0))
        rows = counts.sum(axis=1)
        n_silent = int((rows == 0).sum())
        extras: dict[str, float | int | str | None] = {"tp": tp, "fn": fn, "n_clips_without_sound_rows": n_silent}
        n = len(counts) - n_silent
        if n == 0:
            reason = f"None of the {len(counts)} clips has a row with a localised sound."
            return Result(self.name, None, "1", 1.0, True, 0, None, reason, extras)
        interval = bootstrap_ratio(counts[:, 0], rows) if ci else None
        return Result(self.name, tp / (tp + fn), "1", 1.0, True, n, interval, None, extras)
