import numpy as np
import pytest

import savg_ray.metrics.kvd as kvd
from savg_ray.errors import UserError
from savg_ray.metrics import kernel_distance
from savg_ray.metrics.kvd import KernelDistance
from tests.metrics.test_frechet import CASES, golden_pair, keys, normal
from tests.toys import golden_json, golden_npz


def filled(x, y):
    metric = KernelDistance()
    metric.update(keys(len(x)), x, generated=True)
    metric.update(keys(len(y)), y, generated=False)
    return metric


def by_definition(x, y):
    """Every pair of different rows, one at a time."""

    def k(a, b):
        return (a @ b / len(a) + 1) ** 3

    xx = np.mean([k(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j])
    yy = np.mean([k(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j])
    return xx + yy - 2 * np.mean([k(a, b) for a in x for b in y])


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['kind']}-{c['n_fake']}-{c['n_ref']}-{c['d']}")
def test_golden(case):
    x, y = golden_pair(case)
    value = kernel_distance(x, y)
    assert value == pytest.approx(case["kvd_fp64"], rel=1e-10, abs=1e-11)
    assert value == pytest.approx(case["kvd"], rel=1e-5, abs=5e-6)


def test_golden_end_to_end_features():
    features, numbers = golden_npz("quality_end_to_end.npz"), golden_json("quality_end_to_end.json")
    value = kernel_distance(features["fake_i3d"], features["ref_i3d"])
    # The stored number comes from float32 kernel values near 574, so it is known to one rounding step of those.
    assert value == pytest.approx(numbers["metrics"]["kvd"], abs=574 * float(np.finfo(np.float32).eps))


def test_definition():
    x, y = normal(1, 6, 5), normal(2, 9, 5) + 0.5
    assert kernel_distance(x, y) == pytest.approx(by_definition(x, y), rel=1e-12)


def test_row_blocks_do_not_change_the_number(monkeypatch):
    x, y = normal(3, 23, 5), normal(4, 17, 5)
    whole = kernel_distance(x, y)
    monkeypatch.setattr(kvd, "_ROWS_AT_ONCE", 4)
    assert kernel_distance(x, y) == pytest.approx(whole, rel=1e-11)


def test_unbiased_around_zero_for_equal_distributions():
    values = [kernel_distance(normal(2 * s, 30, 8), normal(2 * s + 1, 30, 8)) for s in range(200)]
    assert min(values) < 0 < max(values)
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))


def test_unusable_samples_are_named():
    with pytest.raises(UserError, match="second sample has 1 rows"):
        kernel_distance(np.ones((3, 2)), np.ones((1, 2)))


def test_state_gives_the_distance():
    x, y = normal(5, 50, 6).astype(np.float32), (normal(6, 43, 6) + 0.7).astype(np.float32)
    result = filled(x, y).compute()
    low, high = result.ci95
    assert result.value == pytest.approx(kernel_distance(x, y), rel=1e-12)
    assert (low + high) / 2 == pytest.approx(result.value)
    assert (result.n, result.extras["n_reference"], result.scale) == (50, 43, 1.0)


def test_even_groups_reproduce_the_jackknife_exactly():
    x, y = normal(7, 40, 6).astype(np.float32), (normal(8, 60, 6) + 0.7).astype(np.float32)
    without = np.array(
        [
            kernel_distance(np.delete(x, np.s_[2 * g : 2 * g + 2], 0), np.delete(y, np.s_[3 * g : 3 * g + 3], 0))
            for g in range(20)
        ]
    )
    half_width = 2.0930240544 * np.sqrt(19 / 20 * np.sum((without - without.mean()) ** 2))
    low, high = filled(x, y).compute().ci95
    assert (high - low) / 2 == pytest.approx(half_width, rel=1e-8)


def test_interval_has_the_width_of_the_spread_over_repetitions():
    values, widths = [], []
    for seed in range(40):
        result = filled(normal(2 * seed, 60, 4), normal(2 * seed + 1, 60, 4) + 0.8).compute()
        values.append(result.value)
        widths.append((result.ci95[1] - result.ci95[0]) / 2)
    assert 1.4 < np.mean(widths) / np.std(values, ddof=1) < 3.2


def test_interval_is_left_out_on_request_and_for_too_few_clips():
    x = normal(9, 8, 3)
    assert filled(x, x).compute(ci=False).ci95 is None
    assert filled(x, x[:2]).compute().ci95 is None
    assert filled(x, x[:3]).compute().ci95 is not None
    assert filled(x, x[:1]).compute().value is None
