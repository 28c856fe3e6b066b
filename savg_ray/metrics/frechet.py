"""Fréchet distance between two sets of features: FVD on I3D logits, FAD on AudioCLIP embeddings."""

import numpy as np

from savg_ray.metrics.feature_state import TwoSampleState, two_samples
from savg_ray.metrics.intervals import group_count, group_slices, jackknife_interval
from savg_ray.metrics.result import Result

_SPLITS = 4


def frechet_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Squared Fréchet distance between the Gaussians fitted to x (N, D) and y (M, D); float64 inside, N, M >= 2.

    |mean_x - mean_y|² + tr Sx + tr Sy - 2 tr (Sx^½ Sy Sx^½)^½ with unbiased covariances (Dowson and Landau 1982;
    Heusel et al. 2017). Identical sets give 0 to rounding. Raises UserError for fewer than two rows, for widths
    that differ, and for NaN or infinite values. The inputs are not modified.
    """
    first, second = two_samples(x, y)
    return _distance(first, second)


def _distance(x: np.ndarray, y: np.ndarray) -> float:
    a, b = _centred(x), _centred(y)
    shift = float(np.sum((x.mean(axis=0) - y.mean(axis=0)) ** 2))
    cross = _cross_trace_nuclear(a, b) if min(len(a), len(b)) < a.shape[1] else _cross_trace_eigen(a, b)
    distance = shift + float(np.sum(a * a)) + float(np.sum(b * b)) - 2.0 * cross
    # The distance of equal sets is 0; what rounding leaves of it may be negative.
    return max(0.0, distance)


def _centred(x: np.ndarray) -> np.ndarray:
    """Rows A with AᵀA the unbiased covariance of x."""
    return (x - x.mean(axis=0)) / np.sqrt(len(x) - 1)


def _cross_trace_nuclear(a: np.ndarray, b: np.ndarray) -> float:
    """tr (Sx^½ Sy Sx^½)^½ as the nuclear norm of A Bᵀ (N, M): exact, and no D x D matrix when clips are few."""
    return float(np.linalg.svd(a @ b.T, compute_uv=False).sum())


def _cross_trace_eigen(a: np.ndarray, b: np.ndarray) -> float:
    """The same trace from D x D covariances by symmetric eigenvalues: cheaper when clips outnumber features."""
    values, vectors = np.linalg.eigh(a.T @ a)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    squares = np.linalg.eigvalsh(root @ (b.T @ b) @ root)
    return float(np.sqrt(np.maximum(squares, 0.0)).sum())


def _half_size_mean(x: np.ndarray, y: np.ndarray) -> float:
    """Mean distance between disjoint random halves; both sides shrink, for both sample sizes carry bias."""
    rng = np.random.Generator(np.random.PCG64(0))
    half_x, half_y = len(x) // 2, len(y) // 2
    distances = []
    for _ in range(_SPLITS):
        rows, columns = rng.permutation(len(x)), rng.permutation(len(y))
        distances.append(_distance(x[rows[:half_x]], y[columns[:half_y]]))
        distances.append(_distance(x[rows[half_x : 2 * half_x]], y[columns[half_y : 2 * half_y]]))
    return float(np.mean(distances))


class FrechetDistance(TwoSampleState):
    """Mergeable Fréchet distance over clips; ``value`` is ``scale`` times the distance.

    With ``debias`` the result also has a 95 % interval (delete-group jackknife over clips, spread only) and the
    extra ``debiased``, 2 F(N) - mean F(N/2) over disjoint halves, which removes the bias of order 1/N (Chong and
    Forsyth 2020 extrapolate likewise). Below 1.3 D clips a side that bias is not of order 1/N yet, so ``debiased``
    is None and ``debiased_reason`` says so.
    """

    def __init__(self, name: str, unit: str, scale: float = 1.0, debias: bool = False) -> None:
        super().__init__()
        self.name = name
        self._unit = unit
        self._scale = scale
        self._debias = debias

    def compute(self, ci: bool = True) -> Result:
        """The distance over all clips; None with a reason while a side has fewer than two."""
        n, m = self.counts()
        reason = self.too_few()
        value: float | None = None
        interval: tuple[float, float] | None = None
        extras: dict[str, float | int | str | None] = {"n_reference": m}
        if reason is None:
            x, y = two_samples(*self.samples())
            distance = _distance(x, y)
            value = self._scale * distance
            if self._debias:
                extras |= self._debiased(x, y, distance)
                interval = self._interval(x, y, value) if ci else None
        return Result(self.name, value, self._unit, self._scale, False, n, interval, reason, extras)

    def _debiased(self, x: np.ndarray, y: np.ndarray, distance: float) -> dict[str, float | int | str | None]:
        needed = 1.3 * x.shape[1]
        if min(len(x), len(y)) < needed:
            reason = (
                f"Extrapolating {x.shape[1]} features needs at least {int(np.ceil(needed))} clips on each side, "
                f"but there are {len(x)} and {len(y)}."
            )
            return {"debiased": None, "debiased_reason": reason}
        return {"debiased": self._scale * (2.0 * distance - _half_size_mean(x, y)), "debiased_reason": None}

    def _interval(self, x: np.ndarray, y: np.ndarray, value: float) -> tuple[float, float] | None:
        groups = group_count(len(x), len(y))
        if groups == 0:
            return None
        pairs = zip(group_slices(len(x), groups), group_slices(len(y), groups), strict=True)
        without = [_distance(np.delete(x, gone_x, axis=0), np.delete(y, gone_y, axis=0)) for gone_x, gone_y in pairs]
        low, high = jackknife_interval(value, self._scale * np.array(without))
        return max(0.0, low), high
