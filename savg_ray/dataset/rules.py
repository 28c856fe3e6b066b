"""The rules of curation that labels decide, for all windows and yaws of a recording at once."""

from collections.abc import Callable

import numpy as np

from savg_ray.dataset.annotations import Annotations
from savg_ray.dataset.config import RulesConfig
from savg_ray.dataset.windows import Candidates
from savg_ray.spatial.ambisonics import rotated_azimuth_deg

FATES = ("kept", "other_class", "off_screen", "overlap", "inactive", "clipped")
"""What becomes of a candidate: kept, or rejected by the first rule that it breaks, in this order."""

KEPT, OTHER_CLASS, OFF_SCREEN, OVERLAP, INACTIVE, CLIPPED = range(len(FATES))

OnScreen = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(azimuth after rotation, elevation), in degrees, to bool: inside the picture?"""


def relevant_rows(annotations: Annotations, rules: RulesConfig) -> Annotations:
    """The labels that count: all, or without other classes where these are ignored."""
    if rules.classes is None or rules.other_classes == "drop":
        return annotations
    return annotations.rows(np.isin(annotations.label, rules.classes))


def label_fates(
    annotations: Annotations,
    candidates: Candidates,
    length_frames: int,
    rules: RulesConfig,
    on_screen: OnScreen,
) -> np.ndarray:
    """What the labels decide about each candidate.

    Args:
        annotations: the relevant rows of the recording.
        candidates: windows and yaws.
        length_frames: of a window.
        rules: which rules hold.
        on_screen: see `OnScreen`.

    Returns:
        uint8 (n,), indices into `FATES`; sound may still reject what is kept here.
    """
    starts, which_start = np.unique(candidates.start_frame, return_inverse=True)
    yaws, which_yaw = np.unique(candidates.yaw_deg, return_inverse=True)
    n_frames = int(starts.max(initial=0)) + length_frames
    rows = annotations.rows(slice(0, np.searchsorted(annotations.frame, n_frames)))
    n_rows = np.bincount(rows.frame, minlength=n_frames)

    def windows_with(per_frame: np.ndarray) -> np.ndarray:
        """Sums over each window of numbers by frame; further axes are kept."""
        sums = np.concatenate([np.zeros_like(per_frame[:1]), np.cumsum(per_frame, axis=0)])
        return sums[starts + length_frames] - sums[starts]

    fates = np.full(len(candidates), KEPT, np.uint8)

    def reject(fate: int, broken: np.ndarray) -> None:
        fates[(fates == KEPT) & broken] = fate

    if rules.classes is not None:
        others = np.bincount(rows.frame[~np.isin(rows.label, rules.classes)], minlength=n_frames)
        reject(OTHER_CLASS, (windows_with(others) > 0)[which_start])
    if rules.on_screen:
        outside = windows_with(_n_off_screen(rows, yaws, n_frames, on_screen)) > 0
        reject(OFF_SCREEN, outside[which_start, which_yaw])
    if rules.no_overlap:
        reject(OVERLAP, (windows_with((n_rows > 1).astype(np.int64)) > 0)[which_start])
    n_active = windows_with((n_rows > 0).astype(np.int64))
    reject(INACTIVE, (n_active < rules.min_active_frames)[which_start])
    return fates


def _n_off_screen(rows: Annotations, yaws: np.ndarray, n_frames: int, on_screen: OnScreen) -> np.ndarray:
    """int32 (n_frames, yaws): labels outside the picture, by frame and yaw."""
    counts = np.zeros((n_frames, len(yaws)), np.int32)
    for i, yaw in enumerate(yaws):
        outside = ~on_screen(rotated_azimuth_deg(rows.azimuth_deg, yaw), rows.elevation_deg)
        counts[:, i] = np.bincount(rows.frame[outside], minlength=n_frames)
    return counts
