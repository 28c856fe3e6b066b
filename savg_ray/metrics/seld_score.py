"""Joint score of sound event localisation and detection against labels (DCASE 2022 style, in pixels)."""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from savg_ray.errors import UserError
from savg_ray.seld.events import WIDTH_PX
from savg_ray.seld.labels import CLASSES, with_classes

NEAR_PX = 40
FRAMES_PER_BLOCK = 10

# Per block and class: frame -> x of its rows, in file order.
_Tracks = dict[int, list[float]]


@dataclass(frozen=True)
class ClassScore:
    """Location-aware F score and class-aware localisation of one class (or their mean over classes).

    ``f_score``, ``precision`` and ``recall`` count a track as found within 40 px; ``localization_error_px`` is the
    mean distance of matched tracks whatever it is, 256 when none matched, with its own F, precision and recall.
    """

    f_score: float
    precision: float
    recall: float
    localization_error_px: float
    localization_f: float
    localization_precision: float
    localization_recall: float


@dataclass(frozen=True)
class SeldScore:
    """Scores over all files: ``mean`` over classes, ``by_class``, the global error rate and its three parts.

    ``score`` is the mean of error rate, 1 - F, error / 256 px and 1 - localisation recall: 0 is perfect.
    """

    error_rate: float
    deletion_rate: float
    insertion_rate: float
    substitution_rate: float
    mean: ClassScore
    by_class: dict[str, ClassScore]
    score: float


@dataclass
class _ClassCounts:
    near: int = 0
    far: int = 0
    extra: int = 0
    missed: int = 0
    never_met: int = 0
    error_px: float = 0.0

    def score(self) -> ClassScore:
        matched = self.near + self.far
        missed = self.missed + self.never_met
        return ClassScore(
            f_score=_ratio(self.near, self.near + self.far + 0.5 * (self.extra + missed)),
            precision=_ratio(self.near, self.near + self.far + self.extra),
            recall=_ratio(self.near, self.near + self.far + missed),
            localization_error_px=self.error_px / matched if matched else float(WIDTH_PX),
            localization_f=_ratio(matched, matched + 0.5 * (self.extra + self.missed)),
            localization_precision=_ratio(matched, matched + self.extra),
            localization_recall=_ratio(matched, matched + self.missed),
        )


@dataclass
class _Counts:
    n_reference: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    classes: list[_ClassCounts] = field(default_factory=lambda: [_ClassCounts() for _ in CLASSES])


def seld_score(files: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> SeldScore:
    """Compare reference rows with predicted rows, file by file, in blocks of one second.

    Args:
        files: name -> (reference rows (n, >= 3): frame at 10 Hz, data set class id 0, 1 or 9, x_px, ...;
            predicted rows (m, 3): frame, class 0 or 1, x_px). Rows of one frame and class are its tracks, in order.

    Per block and class, tracks are matched frame by frame at the least total distance (Hungarian method) and a
    matched track counts by its mean distance. Two habits are the official evaluation's: only the first
    ceil(last reference frame / 10) blocks are looked at (so none of a file without reference rows), and a class
    present on both sides but never in the same frame counts its predictions as misses. The joint metrics are those
    of Politis et al. (2021), "Overview and evaluation of sound event localization and detection in DCASE 2019", with
    pixels for degrees.

    Raises:
        UserError: when no block of any file holds a reference row.
        ClipError: ``unknown_class`` for a reference class id other than 0, 1, 9.
    """
    counts = _Counts()
    for name, (reference, predicted) in files.items():
        if len(reference):
            _count_file(
                counts, with_classes(reference, f"the label file of {name}"), np.asarray(predicted, dtype=float)
            )
    if counts.n_reference == 0:
        raise UserError("No second of any file holds a label row, so SELD has no score; check the metadata files.")
    by_class = {name: c.score() for name, c in zip(CLASSES, counts.classes, strict=True)}
    mean = ClassScore(*np.mean([list(vars(score).values()) for score in by_class.values()], axis=0).tolist())
    errors = counts.substitutions + counts.deletions + counts.insertions
    error_rate = errors / counts.n_reference
    return SeldScore(
        error_rate=error_rate,
        deletion_rate=counts.deletions / counts.n_reference,
        insertion_rate=counts.insertions / counts.n_reference,
        substitution_rate=counts.substitutions / counts.n_reference,
        mean=mean,
        by_class=by_class,
        score=joint_score(error_rate, mean),
    )


def joint_score(error_rate: float, score: ClassScore) -> float:
    """Mean of error rate, 1 - F, localisation error over 256 px, and 1 - localisation recall."""
    parts = (error_rate, 1 - score.f_score, score.localization_error_px / WIDTH_PX, 1 - score.localization_recall)
    return sum(parts) / len(parts)


def _count_file(counts: _Counts, reference: np.ndarray, predicted: np.ndarray) -> None:
    n_blocks = math.ceil(reference[:, 0].max() / FRAMES_PER_BLOCK)
    reference_tracks, predicted_tracks = _blocks(reference), _blocks(predicted)
    for block in range(n_blocks):
        extra, missed = 0, 0
        for label, class_counts in enumerate(counts.classes):
            wanted, found = reference_tracks[block, label], predicted_tracks[block, label]
            counts.n_reference += _n_tracks(wanted)
            class_extra, class_missed = _count_block(class_counts, wanted, found)
            extra += class_extra
            missed += class_missed
        counts.substitutions += min(extra, missed)
        counts.deletions += max(0, missed - extra)
        counts.insertions += max(0, extra - missed)


def _count_block(counts: _ClassCounts, wanted: _Tracks, found: _Tracks) -> tuple[int, int]:
    n_wanted, n_found = _n_tracks(wanted), _n_tracks(found)
    distances = _track_distances(wanted, found)
    if wanted and found and not distances:
        counts.never_met += n_found
        return 0, n_found
    means = [sum(d) / len(d) for d in distances.values()]
    n_near = sum(mean <= NEAR_PX for mean in means)
    n_far = len(means) - n_near
    extra, missed = max(0, n_found - n_wanted), max(0, n_wanted - n_found)
    counts.near += n_near
    counts.far += n_far
    counts.extra += extra
    counts.missed += missed
    counts.error_px += sum(means)
    return extra + n_far, missed


def _track_distances(wanted: _Tracks, found: _Tracks) -> dict[int, list[float]]:
    distances: dict[int, list[float]] = defaultdict(list)
    for frame in sorted(wanted.keys() & found.keys()):
        cost = np.abs(np.subtract.outer(wanted[frame], found[frame]))
        for track, match in zip(*linear_sum_assignment(cost), strict=True):
            distances[int(track)].append(float(cost[track, match]))
    return distances


def _blocks(rows: np.ndarray) -> dict[tuple[int, int], _Tracks]:
    blocks: dict[tuple[int, int], _Tracks] = defaultdict(lambda: defaultdict(list))
    for frame, label, x_px in rows[:, :3].tolist():
        blocks[int(frame) // FRAMES_PER_BLOCK, int(label)][int(frame)].append(float(x_px))
    return blocks


def _n_tracks(tracks: _Tracks) -> int:
    return max((len(xs) for xs in tracks.values()), default=0)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
