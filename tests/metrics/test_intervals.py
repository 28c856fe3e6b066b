import numpy as np
import pytest

from savg_ray.metrics.intervals import bootstrap_mean, bootstrap_ratio, group_count, group_slices, jackknife_interval


def test_bootstrap_is_repeatable_and_depends_on_the_seed():
    values = np.random.Generator(np.random.PCG64(1)).random(30)
    assert bootstrap_mean(values) == bootstrap_mean(values)
    assert bootstrap_mean(values, seed=1) != bootstrap_mean(values, seed=2)


def test_bootstrap_mean_agrees_with_the_normal_interval():
    values = np.random.Generator(np.random.PCG64(2)).standard_normal(400) + 3
    low, high = bootstrap_mean(values)
    half = 1.96 * values.std() / np.sqrt(400)
    assert (low + high) / 2 == pytest.approx(values.mean(), abs=0.1 * half)
    assert (high - low) / 2 == pytest.approx(half, rel=0.1)


def test_drawing_in_pieces_gives_the_same_interval(monkeypatch):
    values = np.random.Generator(np.random.PCG64(3)).random(11)
    whole = bootstrap_mean(values)
    monkeypatch.setattr("savg_ray.metrics.intervals._ELEMENTS_AT_ONCE", 100)
    assert bootstrap_mean(values) == whole


def test_clips_and_not_rows_are_resampled():
    """Fifty rows that agree within each of 20 clips are worth 20 observations, not 1000."""
    hits = np.random.Generator(np.random.PCG64(4)).integers(0, 2, size=20) * 50
    low, high = bootstrap_ratio(hits, np.full(20, 50))
    p = hits.sum() / 1000
    of_rows, of_clips = (1.96 * np.sqrt(p * (1 - p) / n) for n in (1000, 20))
    assert (high - low) / 2 > 4 * of_rows
    assert (high - low) / 2 == pytest.approx(of_clips, rel=0.2)


def test_big_clips_weigh_more():
    low, high = bootstrap_ratio([90, 0], [100, 1])
    assert low == 0.0
    assert high == pytest.approx(0.9)


def test_draws_without_any_row_are_left_out():
    assert bootstrap_ratio([3, 0, 0], [4, 0, 0]) == (0.75, 0.75)
    assert bootstrap_ratio([0, 0], [0, 0]) is None
    assert bootstrap_ratio([1], [2]) is None
    assert bootstrap_mean([]) is None


def test_jackknife_of_a_mean_is_the_textbook_standard_error():
    values = np.random.Generator(np.random.PCG64(5)).standard_normal(10)
    without = [np.delete(values, i).mean() for i in range(10)]
    low, high = jackknife_interval(values.mean(), without)
    assert (low + high) / 2 == pytest.approx(values.mean())
    assert (high - low) / 2 == pytest.approx(2.262157163 * values.std(ddof=1) / np.sqrt(10), rel=1e-8)


@pytest.mark.parametrize(("n", "groups"), [(20, 20), (43, 20), (7, 3), (5, 1)])
def test_groups_cover_every_clip_once_and_evenly(n, groups):
    cut = group_slices(n, groups)
    assert [i for s in cut for i in range(n)[s]] == list(range(n))
    sizes = [s.stop - s.start for s in cut]
    assert len(cut) == groups
    assert max(sizes) - min(sizes) <= 1


def test_no_jackknife_when_a_group_less_leaves_one_clip():
    assert [group_count(*pair) for pair in [(2, 50), (3, 50), (50, 12), (96, 200)]] == [0, 3, 12, 20]
