"""Read the headerless number tables that SAVGBench tools exchange."""

from pathlib import Path

import numpy as np

from savg_ray.errors import ClipError


def read_number_rows(path: Path, columns: tuple[str, ...], *, more_columns: bool = False) -> np.ndarray:
    """Rows of a comma-separated file without header as float64 (n, len(columns)); an empty file is zero rows.

    ``columns`` names what each line must hold; with ``more_columns`` further ones are allowed and dropped.

    Raises:
        ClipError: ``bad_rows`` when the file cannot be read or a line does not hold these finite numbers.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ClipError("bad_rows", f"{path} cannot be read as text ({error}); write it again") from error
    rows = np.empty((len(lines), len(columns)))
    for i, line in enumerate(lines):
        words = line.split(",")
        try:
            if len(words) != len(columns) and not (more_columns and len(words) > len(columns)):
                raise ValueError
            rows[i] = [float(word) for word in words[: len(columns)]]
            if not np.isfinite(rows[i]).all():
                raise ValueError
        except ValueError:
            expected = ",".join(columns)
            raise ClipError(
                "bad_rows", f"{path} line {i + 1} is {line!r} instead of numbers {expected}; write the file again"
            ) from None
    return rows
