"""Person boxes of a clip as rows (frame, class, x0, y0, x1, y1), and the official CSV of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from savg_ray.csv_rows import read_number_rows

PERSON = 0
_COLUMNS = ("frame", "class", "x0", "y0", "x1", "y1")


def rows_of_boxes(boxes_per_frame: Sequence[np.ndarray]) -> np.ndarray:
    """Rows float64 (n, 6) sorted by frame, class 0, from one array or CPU tensor of boxes (k, 4) in px per frame."""
    rows = [np.empty((0, len(_COLUMNS)))]
    for frame, boxes in enumerate(boxes_per_frame):
        boxes = np.asarray(boxes, dtype=np.float64)
        head = np.broadcast_to((float(frame), float(PERSON)), (len(boxes), 2))
        rows.append(np.concatenate([head, boxes], axis=1))
    return np.concatenate(rows)


def write_rows(path: Path, rows: np.ndarray) -> None:
    """Write rows (n, 6) as the official detection CSV: integer frame and class, float corners, no header.

    No rows give an empty file (0 bytes).
    """
    lines = [
        f"{int(frame)},{int(label)},{x0!r},{y0!r},{x1!r},{y1!r}\n"
        for frame, label, x0, y0, x1, y1 in rows.astype(float).tolist()
    ]
    path.write_text("".join(lines))


def read_rows(path: Path) -> np.ndarray:
    """Rows (frame, class, x0, y0, x1, y1), float64 (n, 6), of a detection CSV.

    Raises:
        ClipError: ``bad_rows`` when the file is not one.
    """
    return read_number_rows(path, _COLUMNS)
