"""The labels of a STARSS23 recording."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from savg_ray.csv_rows import read_number_rows
from savg_ray.errors import ClipError

N_CLASSES = 13
SPEECH = (0, 1)
INSTRUMENT = 9

_COLUMNS = ("frame", "class", "source", "azimuth", "elevation", "distance")
_RANGES = {"frame": (0, 10**6), "class": (0, N_CLASSES - 1), "azimuth": (-180, 180), "elevation": (-90, 90)}


@dataclass(frozen=True, eq=False)
class Annotations:
    """Labelled sound events, one row an event and label frame, sorted by frame.

    Attributes:
        frame: int (n,), label frames of 0.1 s.
        label: int (n,), class 0..12 of STARSS23.
        source: int (n,), which actor; 0 for none.
        azimuth_deg: int (n,), -180..180, positive to the left.
        elevation_deg: int (n,), -90..90, positive up.
        distance_cm: int (n,), or None in the old format.
    """

    frame: np.ndarray
    label: np.ndarray
    source: np.ndarray
    azimuth_deg: np.ndarray
    elevation_deg: np.ndarray
    distance_cm: np.ndarray | None

    def __len__(self) -> int:
        return len(self.frame)

    def rows(self, choice: np.ndarray | slice) -> "Annotations":
        """Some of the rows, by mask, index or slice."""
        distance = None if self.distance_cm is None else self.distance_cm[choice]
        columns = (self.frame, self.label, self.source, self.azimuth_deg, self.elevation_deg)
        return Annotations(*(column[choice] for column in columns), distance)

    def between(self, first_frame: int, end_frame: int) -> "Annotations":
        """The rows of frames first_frame <= frame < end_frame, with frames counted from first_frame."""
        first, end = np.searchsorted(self.frame, [first_frame, end_frame])
        rows = self.rows(slice(first, end))
        return replace(rows, frame=rows.frame - first_frame)


def read_annotations(path: Path) -> Annotations:
    """Read a csv without header, of whole numbers: frame, class, source, azimuth, elevation and, but in the old
    format, distance. An empty file is a recording without events.

    Raises:
        ClipError: ``bad_rows``, with file and line.
    """
    columns = _COLUMNS[: _n_columns(path)]
    table = read_number_rows(path, columns)
    for i, name in enumerate(columns):
        low, high = _RANGES.get(name, (-(10**9), 10**9))
        values = table[:, i]
        wrong = np.flatnonzero((values < low) | (values > high) | (values != np.rint(values)))
        if len(wrong):
            line = wrong[0]
            wanted = f"a whole number from {low} to {high}" if name in _RANGES else "a whole number"
            message = f"{path} line {line + 1}: {name} is {values[line]:g}, not {wanted}; correct the file."
            raise ClipError("bad_rows", message)
    whole = table.astype(np.int64)
    whole = whole[np.argsort(whole[:, 0], kind="stable")]
    fields = [np.ascontiguousarray(whole[:, i]) for i in range(len(columns))]
    return Annotations(*fields[:5], fields[5] if len(fields) == 6 else None)


def _n_columns(path: Path) -> int:
    try:
        with path.open() as file:
            first_line = file.readline()
    except (OSError, UnicodeDecodeError):
        return len(_COLUMNS)  # the reader says what is wrong
    return 5 if first_line.count(",") == 4 else 6
