"""Training labels of stereo SELD: csv rows at 10 Hz to activity and position at 100 Hz."""

import math
from pathlib import Path

import numpy as np

from savg_ray.csv_rows import read_number_rows
from savg_ray.errors import ClipError
from savg_ray.seld.features import FRAMES_PER_S

CLASSES = ("speech", "instrument")
# Class ids of STARSS23: female speech, male speech, musical instrument.
CLASS_OF_DATASET_ID = {0: 0, 1: 0, 9: 1}

_CSV_FRAMES_PER_S = 10
_PER_CSV_FRAME = FRAMES_PER_S // _CSV_FRAMES_PER_S


def read_labels(path: Path) -> np.ndarray:
    """Rows (frame, class, x_px), int64 (n, 3), of a metadata csv: frame at 10 Hz, class id 0, 1 or 9, x, then any.

    Raises:
        ClipError: ``bad_rows`` when the file cannot be read so, ``unknown_class`` for another class id.
    """
    return with_classes(read_number_rows(path, ("frame", "class", "x"), more_columns=True), source=str(path))


def with_classes(rows: np.ndarray, source: str = "the label array") -> np.ndarray:
    """Rows (n, columns >= 2) as int64 with the data set's class ids (0, 1, 9) in column 1 replaced by 0, 0, 1.

    ``source`` names the rows in the error.

    Raises:
        ClipError: ``unknown_class`` for another id.
    """
    rows = np.array(rows, dtype=np.int64)
    for dataset_id in np.unique(rows[:, 1]).tolist():
        if dataset_id not in CLASS_OF_DATASET_ID:
            raise ClipError(
                "unknown_class", f"{source} holds class id {dataset_id}; keep only rows of classes 0, 1 and 9"
            )
    rows[:, 1] = [CLASS_OF_DATASET_ID[dataset_id] for dataset_id in rows[:, 1].tolist()]
    return rows


def frame_labels(rows: np.ndarray, start_s: float, duration_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Activity (0 or 1) and x (pixels, 0 where inactive), float32 (2, T) each at 100 Hz, T = 100 * duration + 1.

    ``rows`` are (frame, class, x_px, ...) with classes 0 and 1. Each csv frame fills ten label frames. Of a csv
    frame with several rows only the lowest class is kept, and of that class the first row, as officially: at most
    one source sounds at a time.
    """
    n_frames = round(duration_s * FRAMES_PER_S) + 1
    activity = np.zeros((len(CLASSES), n_frames), np.float32)
    x_px = np.zeros((len(CLASSES), n_frames), np.float32)
    # The official offset is the truncated second decimal, not the nearest label frame.
    offset = int(math.modf(start_s * _CSV_FRAMES_PER_S)[0] * _PER_CSV_FRAME)
    first = math.floor(start_s * _CSV_FRAMES_PER_S)
    beyond = math.ceil((start_s + duration_s) * _CSV_FRAMES_PER_S)
    seen = set()
    for frame, label, x in rows[np.lexsort((rows[:, 1], rows[:, 0])), :3].tolist():
        if not first <= frame < beyond or frame in seen:
            continue
        seen.add(frame)
        begin = _PER_CSV_FRAME * (int(frame) - first) - offset
        place = slice(max(begin, 0), max(begin + _PER_CSV_FRAME, 0))
        activity[int(label), place] = 1
        x_px[int(label), place] = int(x)
    return activity, x_px
