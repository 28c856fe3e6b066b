"""Kernel distance between two sets of features: KVD on I3D logits."""

import math

import numpy as np

from savg_ray.metrics.feature_state import TwoSampleState, two_samples
from savg_ray.metrics.intervals import group_count, group_slices, jackknife_interval
from savg_ray.metrics.result import Result

_ROWS_AT_ONCE = 1024


def kernel_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Unbiased squared MMD of x (N, D) and y (M, D) under the kernel (x·y/D + 1)³; float64 inside, N, M >= 2.

    Mean off-diagonal K(x, x) + mean off-diagonal K(y, y) - 2 mean K(x, y) (Gretton et al. 2012; Bińkowski et al.
    2018). Unbiased, so it can be negative, and is so for identical sets. Raises UserError for fewer than two rows,
    for widths that differ, and for NaN or infinite values. The inputs are not modified.
    """
    first, second = two_samples(x, y)
    blocks = _BlockSums(first, second, _pieces(len(first)), _pieces(len(second)))
    return blocks.distance()


def _pieces(n: int) -> list[slice]:
    return group_slices(n, math.ceil(n / _ROWS_AT_ONCE))


class _BlockSums:
    """Kernel sums between groups of rows: enough for the distance with and without any group, at one pass."""

    def __init__(self, x: np.ndarray, y: np.ndarray, groups_x: list[slice], groups_y: list[slice]) -> None:
        self._sizes_x = np.array([s.stop - s.start for s in groups_x])
        self._sizes_y = np.array([s.stop - s.start for s in groups_y])
        self._xx = _sums(x, x, groups_x, groups_x) - np.diag([_diagonal_sum(x[s]) for s in groups_x])
        self._yy = _sums(y, y, groups_y, groups_y) - np.diag([_diagonal_sum(y[s]) for s in groups_y])
        self._xy = _sums(x, y, groups_x, groups_y)

    def distance(self, without: int | None = None) -> float:
        """The distance over all rows, or with one group index left out on both sides."""
        i, j = np.arange(len(self._sizes_x)), np.arange(len(self._sizes_y))
        i, j = i[i != without], j[j != without]
        n, m = int(self._sizes_x[i].sum()), int(self._sizes_y[j].sum())
        within_x = self._xx[np.ix_(i, i)].sum() / (n * (n - 1))
        within_y = self._yy[np.ix_(j, j)].sum() / (m * (m - 1))
        return float(within_x + within_y - 2.0 * self._xy[np.ix_(i, j)].sum() / (n * m))


def _sums(a: np.ndarray, b: np.ndarray, groups_a: list[slice], groups_b: list[slice]) -> np.ndarray:
    return np.array([[_cube(a[s] @ b[t].T, a.shape[1]).sum() for t in groups_b] for s in groups_a])


def _diagonal_sum(a: np.ndarray) -> float:
    return float(_cube(np.sum(a * a, axis=1), a.shape[1]).sum())


def _cube(products: np.ndarray, width: int) -> np.ndarray:
    k = products / width + 1.0
    return k * k * k


class KernelDistance(TwoSampleState):
    """Mergeable kernel distance over clips, unscaled, with a delete-group jackknife interval over clips."""

    def __init__(self, name: str = "kvd", unit: str = "MMD²") -> None:
        super().__init__()
        self.name = name
        self._unit = unit

    def compute(self, ci: bool = True) -> Result:
        """The distance over all clips; None with a reason while a side has fewer than two clips."""
        n, m = self.counts()
        reason = self.too_few()
        value: float | None = None
        interval: tuple[float, float] | None = None
        if reason is None:
            x, y = two_samples(*self.samples())
            value = kernel_distance(x, y)
            groups = group_count(n, m) if ci else 0
            if groups:
                blocks = _BlockSums(x, y, group_slices(n, groups), group_slices(m, groups))
                interval = jackknife_interval(value, [blocks.distance(without=g) for g in range(groups)])
        return Result(self.name, value, self._unit, 1.0, False, n, interval, reason, {"n_reference": m})
