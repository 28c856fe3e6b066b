import numpy as np
import pytest
import torch

from savg_ray.errors import UserError
from savg_ray.metrics.frechet import (
    FrechetDistance,
    _centred,
    _cross_trace_eigen,
    _cross_trace_nuclear,
    frechet_distance,
)
from tests.toys import golden_json, golden_npz, sha16

CASES = golden_json("frechet_kvd.json")


def normal(seed, n, d):
    return np.random.Generator(np.random.PCG64(seed)).standard_normal((n, d))


def golden_matrix(kind, seed, n, d):
    z, j = normal(seed, n, d), np.arange(d) / d
    if kind in ("scaled", "same"):
        z = z * (0.2 + 2 * j) + (3 * j - 1)
    elif kind == "lowrank":
        z = z[:, :8] @ normal(77, 8, d) + 1e-3 * z
    elif kind == "emb":
        z = normal(78, 1, d)[0] + 0.02 * z
    return z.astype(np.float32)


def golden_pair(case):
    kind, d, seed = case["kind"], case["d"], case["seed"]
    x = golden_matrix(kind, seed, case["n_fake"], d)
    y = x.copy() if kind == "same" else golden_matrix(kind, seed + 5000, case["n_ref"], d)
    if kind == "iso":
        y = y + np.float32(0.3)
    assert (sha16(x), sha16(y)) == (case["x_sha16"], case["y_sha16"])
    return x, y


def lost_by_official_root(x, y):
    """What the official distance is too large by: its root of an eigenvalue below 1e-10 is that eigenvalue itself.

    2.4e-6 of the value for emb-96-96-1024, at most 2e-7 elsewhere.
    """
    a, b = _centred(x.astype(np.float64)), _centred(y.astype(np.float64))
    roots = np.linalg.svd(a @ b.T, compute_uv=False)
    small = roots[roots**2 < 1e-10]
    return 2 * float(np.sum(small - small**2))


def keys(n):
    return [f"clip_{i:04d}" for i in range(n)]


def filled(x, y, **options):
    metric = FrechetDistance("fvd", "I3D logit distance²", **options)
    metric.update(keys(len(x)), x, generated=True)
    metric.update(keys(len(y)), y, generated=False)
    return metric


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['kind']}-{c['n_fake']}-{c['n_ref']}-{c['d']}")
def test_golden(case):
    x, y = golden_pair(case)
    value = frechet_distance(x, y)
    tight = {"abs": 1e-9, "rel": 1e-9} if case["kind"] != "same" else {"abs": 1e-9}
    assert value == pytest.approx(case["fd_nuclear_fp64"], **tight)
    loose = {"rel": 1e-6, "abs": 1e-9} if case["kind"] != "same" else {"abs": 1e-3}
    assert value == pytest.approx(case["fd_same_algorithm_fp64"] - lost_by_official_root(x, y), **loose)
    assert value == pytest.approx(case["fd_eigh_fp64"], rel=2e-6, abs=1e-3)
    assert value == pytest.approx(case["fd_official_fp32"], rel=3e-3, abs=0.1)
    assert frechet_distance(y, x) == pytest.approx(value, rel=1e-12, abs=1e-9)


def test_golden_end_to_end_features():
    features, numbers = golden_npz("quality_end_to_end.npz"), golden_json("quality_end_to_end.json")
    fvd = frechet_distance(features["fake_i3d"], features["ref_i3d"])
    fad = 1000 * frechet_distance(features["fake_audio"], features["ref_audio"])
    assert fvd == pytest.approx(numbers["fvd_fp64"], rel=1e-6)
    assert fad == pytest.approx(numbers["fad_fp64_x1000"], rel=1e-6)


@pytest.mark.parametrize(("n", "m", "d"), [(60, 50, 12), (40, 40, 40), (30, 90, 20)])
def test_nuclear_and_eigen_forms_agree(n, m, d):
    a, b = _centred(normal(1, n, d) * np.linspace(0.1, 3, d)), _centred(normal(2, m, d) + 1)
    assert _cross_trace_eigen(a, b) == pytest.approx(_cross_trace_nuclear(a, b), rel=1e-7)


@pytest.mark.parametrize("n", [5, 200])
def test_moving_a_set_costs_the_square_of_the_move(n):
    x = normal(3, n, 10)
    move = np.linspace(-1, 1, 10)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(x, x + move) == pytest.approx(np.sum(move**2), abs=1e-9)


def test_one_feature_is_the_textbook_formula():
    x, y = normal(4, 7, 1), 3 * normal(5, 9, 1) + 2
    expected = (x.mean() - y.mean()) ** 2 + (x.std(ddof=1) - y.std(ddof=1)) ** 2
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-12)


def test_rotating_the_features_changes_nothing():
    x, y = normal(6, 12, 30), 2 * normal(7, 15, 30)
    rotation = np.linalg.qr(normal(8, 30, 30))[0]
    assert frechet_distance(x @ rotation, y @ rotation) == pytest.approx(frechet_distance(x, y), rel=1e-10)


def test_inputs_stay_as_they_are_and_tensors_are_welcome():
    x, y = normal(9, 6, 4).astype(np.float32), normal(10, 5, 4)
    before = x.copy(), y.copy()
    value = frechet_distance(x, y)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])
    assert frechet_distance(torch.from_numpy(x), torch.from_numpy(y).requires_grad_()) == value


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((1, 3)), np.zeros((4, 3)), "first sample has 1 rows"),
        (np.zeros((4, 3)), np.zeros((0, 3)), "second sample has 0 rows"),
        (np.zeros((4, 3)), np.zeros((4, 2)), "3 and 2 features"),
        (np.zeros((4, 3)), np.array([[0, 1], [np.nan, 1], [0, np.inf]]), "second sample holds NaN .* row 1"),
        (np.zeros(4), np.zeros((4, 2)), "shape"),
    ],
)
def test_unusable_samples_are_named(x, y, message):
    with pytest.raises(UserError, match=message):
        frechet_distance(x, y)


def test_state_scales_the_distance_and_gives_no_interval_by_default():
    x, y = normal(11, 20, 6).astype(np.float32), (normal(12, 25, 6) + 0.5).astype(np.float32)
    result = filled(x, y, scale=1000.0).compute()
    assert result.value == pytest.approx(1000 * frechet_distance(x, y), rel=1e-12)
    assert (result.n, result.ci95, result.reason, result.higher_is_better) == (20, None, None, False)
    assert result.as_dict()["n_reference"] == 25
    assert "debiased" not in result.extras


def test_debiasing_removes_most_of_the_bias():
    """Equal standard Gaussians are 0 apart; to first order the estimate is 2D/N (means) + D(D+1)/2N (covariances)."""
    raw, debiased = [], []
    for seed in range(12):
        result = filled(normal(2 * seed, 160, 16), normal(2 * seed + 1, 160, 16), debias=True).compute(ci=False)
        raw.append(result.value)
        debiased.append(result.extras["debiased"])
    assert np.mean(raw) == pytest.approx(2 * 16 / 160 + 16 * 17 / 320, rel=0.1)
    assert abs(np.mean(debiased)) < 0.15 * np.mean(raw)


def test_debiasing_needs_more_clips_than_features():
    d = 10
    enough, short = normal(13, 13, d), normal(14, 12, d)
    assert filled(enough, enough, debias=True).compute().extras["debiased_reason"] is None
    result = filled(enough, short, debias=True, scale=2.0).compute()
    assert result.extras["debiased"] is None
    assert "at least 13 clips" in result.extras["debiased_reason"]
    assert result.value == pytest.approx(2 * frechet_distance(np.float32(enough), np.float32(short)), rel=1e-12)


def test_interval_has_the_width_of_the_spread_over_repetitions():
    values, widths = [], []
    for seed in range(40):
        metric = filled(normal(2 * seed, 60, 3), normal(2 * seed + 1, 80, 3) * 1.5 + 1, debias=True)
        result = metric.compute()
        low, high = result.ci95
        assert low < result.value < high
        values.append(result.value)
        widths.append((high - low) / 2)
    assert 1.4 < np.mean(widths) / np.std(values, ddof=1) < 3.2


def test_everything_but_the_counts_is_scaled():
    x, y = normal(15, 30, 4), normal(16, 26, 4) + 1
    plain, scaled = (filled(x, y, scale=scale, debias=True).compute() for scale in (1.0, 1000.0))
    assert scaled.value == pytest.approx(1000 * plain.value)
    assert scaled.extras["debiased"] == pytest.approx(1000 * plain.extras["debiased"])
    assert scaled.ci95 == pytest.approx([1000 * end for end in plain.ci95])
    assert (scaled.n, scaled.scale) == (30, 1000.0)


def test_too_few_clips_give_a_reason_and_no_number():
    metric = FrechetDistance("fvd", "I3D logit distance²", debias=True)
    assert metric.compute().value is None
    metric.update(["a"], np.ones((1, 3)), generated=True)
    metric.update(["a", "b"], np.ones((2, 3)), generated=False)
    result = metric.compute()
    assert result.value is None
    assert "1 and 2" in result.reason
    metric.update(["b"], np.zeros((1, 3)), generated=True)
    assert metric.compute().value is not None
    assert metric.compute().ci95 is None


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.ones((3, 4)), "2 clip ids"),
        (np.ones((2, 5)), "5 and of 4"),
        (np.array([[1, 1, 1, 1], [1, 1, 1, np.nan]]), "'y'"),
    ],
)
def test_state_names_what_is_wrong(features, message):
    metric = FrechetDistance("fvd", "I3D logit distance²")
    metric.update(["a"], np.ones((1, 4)), generated=False)
    with pytest.raises(UserError, match=message):
        metric.update(["x", "y"], features, generated=True)
