"""Confidence intervals over clips: rows of one clip are dependent, so the clip is what gets resampled."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit

_ELEMENTS_AT_ONCE = 1_000_000


def bootstrap_ratio(
    numerators: Sequence[float] | np.ndarray,
    denominators: Sequence[float] | np.ndarray,
    draws: int = 2000,
    seed: int = 0,
) -> tuple[float, float] | None:
    """95 % percentile interval of sum(numerators) / sum(denominators) when whole clips are drawn with replacement.

    Both inputs are (n,), one entry a clip. Draws whose denominators sum to zero have no ratio and are left out.
    None for fewer than two clips or when no draw has a ratio. Cluster bootstrap: Davison and Hinkley, Bootstrap
    Methods and their Application (1997).
    """
    top, bottom = np.asarray(numerators, np.float64), np.asarray(denominators, np.float64)
    n = len(top)
    if n < 2:
        return None
    rng = np.random.Generator(np.random.PCG64(seed))
    rows = max(1, _ELEMENTS_AT_ONCE // n)
    sums = []
    for start in range(0, draws, rows):
        clips = rng.integers(0, n, size=(min(rows, draws - start), n))
        sums.append(np.stack([top[clips].sum(axis=1), bottom[clips].sum(axis=1)]))
    top_sums, bottom_sums = np.concatenate(sums, axis=1)
    defined = bottom_sums != 0
    if not defined.any():
        return None
    low, high = np.percentile(top_sums[defined] / bottom_sums[defined], [2.5, 97.5])
    return float(low), float(high)


def bootstrap_mean(
    values: Sequence[float] | np.ndarray, draws: int = 2000, seed: int = 0
) -> tuple[float, float] | None:
    """95 % percentile interval of the mean of ``values`` (n,) over clips; None for fewer than two."""
    return bootstrap_ratio(values, np.ones(len(values)), draws, seed)


def group_slices(n: int, groups: int) -> list[slice]:
    """Cut n ordered clips into ``groups`` runs of equal length (give or take one).

    Runs and not every g-th clip: neighbours in the order of the keys often come from one recording, and dependent
    clips must leave together.
    """
    edges = [n * g // groups for g in range(groups + 1)]
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


def group_count(n: int, m: int, most: int = 20) -> int:
    """How many groups a two-sample jackknife can use; 0 when taking one away would leave fewer than two clips."""
    smaller = min(n, m)
    return 0 if smaller < 3 else min(most, smaller)


def jackknife_interval(value: float, replicates: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """95 % interval value ± t·se from the statistic recomputed without each of G >= 2 groups of clips, (G,).

    se² = (G-1)/G · sum of squared deviations of the replicates from their mean (delete-a-group jackknife, Efron and
    Stein 1981), t with G-1 degrees of freedom. It measures spread: a bias that all replicates share stays in.
    """
    left_out = np.asarray(replicates, np.float64)
    groups = len(left_out)
    error = math.sqrt((groups - 1) / groups * float(np.sum((left_out - left_out.mean()) ** 2)))
    half_width = float(stdtrit(groups - 1, 0.975)) * error
    return value - half_width, value + half_width
