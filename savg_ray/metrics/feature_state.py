"""What metric states remember: one value a clip, kept under its key, so that states merge exactly.

Ray runs a task at least once, so the same clip may arrive twice, and in any order.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from savg_ray.errors import UserError

Value = TypeVar("Value")


class KeyedValues(Generic[Value]):
    """Values by key; the same value again changes nothing, another value for a known key raises UserError."""

    def __init__(self, what: str, same: Callable[[Value, Value], bool]) -> None:
        self._what = what
        self._same = same
        self._values: dict[str, Value] = {}

    def __len__(self) -> int:
        return len(self._values)

    def add(self, key: str, value: Value) -> None:
        """Remember one value. Raises UserError when the key already has another one."""
        known = self._values.setdefault(key, value)
        if known is not value and not self._same(known, value):
            raise UserError(
                f"Clip {key!r} arrived twice with different {self._what}; give every clip its own id, "
                "or clear the results of an earlier run with other settings."
            )

    def merge(self, other: "KeyedValues[Value]") -> None:
        """Add everything that ``other`` holds."""
        for key, value in other._values.items():
            self.add(key, value)

    def in_key_order(self) -> list[Value]:
        """All values, sorted by key, so that no result depends on the order of arrival."""
        return [self._values[key] for key in sorted(self._values)]


def _same_bytes(a: np.ndarray, b: np.ndarray) -> bool:
    return a.tobytes() == b.tobytes()


def _numbers_equal(a: Any, b: Any) -> bool:
    return bool(a == b)


def keyed_numbers(what: str) -> KeyedValues[Any]:
    """Storage for plain numbers, or tuples of them, compared by ``==``."""
    return KeyedValues(what, _numbers_equal)


class TwoSampleState:
    """Features (n, D) of generated and of reference clips, one float32 row a key: the state behind FVD, KVD, FAD."""

    def __init__(self) -> None:
        self._sides = {True: KeyedValues("features", _same_bytes), False: KeyedValues("features", _same_bytes)}
        self._width: int | None = None

    def update(self, keys: Sequence[str], features: np.ndarray, generated: bool) -> None:
        """Remember one feature row a key, on the generated or the reference side.

        features: (n, D), finite, kept as float32. Raises UserError when the number of keys, the width, or a known
        clip's bytes differ, or when a row is not finite.
        """
        rows = np.array(features, dtype=np.float32, order="C")
        if rows.ndim != 2 or len(rows) != len(keys):
            raise UserError(
                f"{len(keys)} clip ids came with features of shape {rows.shape}; give one row of features a clip."
            )
        if len(rows) == 0:
            return
        self._check_width(rows.shape[1])
        for key, row in zip(keys, rows, strict=True):
            if not np.isfinite(row).all():
                raise UserError(
                    f"The features of clip {key!r} hold NaN or infinite values; check its network's weights "
                    "and precision."
                )
            self._sides[generated].add(key, row)

    def merge(self, other: "TwoSampleState") -> None:
        """Take over the clips of ``other``. Raises UserError when widths or a shared clip's bytes differ."""
        if other._width is not None:
            self._check_width(other._width)
        for side, values in self._sides.items():
            values.merge(other._sides[side])

    def counts(self) -> tuple[int, int]:
        """How many generated and how many reference clips the state holds."""
        return len(self._sides[True]), len(self._sides[False])

    def samples(self) -> tuple[np.ndarray, np.ndarray]:
        """Generated (N, D) and reference (M, D) features, float32, each in the order of its keys."""
        width = self._width or 0
        generated, reference = (
            np.stack(rows) if rows else np.zeros((0, width), np.float32)
            for rows in (self._sides[True].in_key_order(), self._sides[False].in_key_order())
        )
        return generated, reference

    def too_few(self) -> str | None:
        """Why no distance can be computed yet, or None when each side has at least two clips."""
        n, m = self.counts()
        if min(n, m) >= 2:
            return None
        return f"A distance needs at least 2 generated and 2 reference clips, but there are {n} and {m}."

    def _check_width(self, width: int) -> None:
        if self._width is None:
            self._width = width
        elif self._width != width:
            raise UserError(
                f"Features of {width} and of {self._width} values met in one metric; extract both folders with "
                "the same network."
            )


def two_samples(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Float64 copies of two samples (N, D) and (M, D), arrays or tensors of any device, N, M >= 2, all finite.

    Raises UserError that says which of the two is unusable, and why.
    """
    first, second = _sample(x, "first"), _sample(y, "second")
    if first.shape[1] != second.shape[1]:
        raise UserError(
            f"The two samples have {first.shape[1]} and {second.shape[1]} features a row; extract both with the "
            "same network."
        )
    return first, second


def _sample(x: Any, which: str) -> np.ndarray:
    if hasattr(x, "detach"):
        x = x.detach().double().cpu().numpy()
    sample = np.array(x, dtype=np.float64)
    if sample.ndim != 2:
        raise UserError(f"The {which} sample has shape {sample.shape}; a distance needs rows of features (N, D).")
    if len(sample) < 2:
        raise UserError(f"The {which} sample has {len(sample)} rows; a distance needs at least 2 clips on each side.")
    if not np.isfinite(sample).all():
        row = int(np.argmin(np.isfinite(sample).all(axis=1)))
        raise UserError(f"The {which} sample holds NaN or infinite values, first in row {row}; leave that clip out.")
    return sample
