import random

import pytest

from savg_ray.dataset.config import GridConfig, RandomConfig
from savg_ray.dataset.windows import draw_candidates, grid_candidates, listed_candidates, n_label_frames


def grid(first=0, step=5, first_yaw=0, yaw_step=10):
    return GridConfig(first_start_frame=first, step_frames=step, first_yaw_deg=first_yaw, yaw_step_deg=yaw_step)


def test_the_last_window_ends_within_the_recording():
    assert len(grid_candidates(49, 50, grid())) == 0
    assert len(grid_candidates(50, 50, grid())) == 36
    assert sorted(set(grid_candidates(64, 50, grid()).start_frame)) == [0, 5, 10]
    candidates = grid_candidates(65, 50, grid(first=3, step=4, first_yaw=5, yaw_step=100))
    assert sorted(set(candidates.start_frame)) == [3, 7, 11, 15]
    assert sorted(set(candidates.yaw_deg)) == [5, 105, 205, 305]


def test_candidates_are_sorted_and_none_comes_twice():
    candidates = grid_candidates(70, 50, grid(first_yaw=350, yaw_step=7))
    pairs = list(zip(candidates.start_frame.tolist(), candidates.yaw_deg.tolist(), strict=True))
    assert pairs == sorted(set(pairs))
    assert all(0 <= yaw < 360 for _, yaw in pairs)
    assert listed_candidates([(5, 3), (0, 9)]).start_frame.tolist() == [0, 5]
    assert len(listed_candidates([])) == 0


@pytest.mark.parametrize(
    ("sound_s", "video_s", "n"), [(7.3, 7.3, 73), (30.0, 29.97, 299), (4.99, 60.0, 49), (0, 1, 0)]
)
def test_label_frames_that_both_cover(sound_s, video_s, n):
    assert n_label_frames(sound_s, video_s) == n


def test_draws_are_those_of_the_official_generator():
    lengths = {"a": 600, "b": 51, "c": 3000, "short": 49}
    drawn = draw_candidates(lengths, 50, RandomConfig(n_clips=400, seed=20250305))
    # As the published script: random.choices on lengths, then randint for the start, then for the yaw.
    random.seed(20250305)
    names, expected = ["a", "b", "c"], set()
    while len(expected) < 400:
        name = random.choices(names, weights=[600, 51, 3000])[0]
        start = random.randint(0, lengths[name] - 50)
        expected.add((name, start, random.randint(0, 359)))
    assert {(name, *pair) for name, pairs in drawn.items() for pair in pairs} == expected
    assert drawn["short"] == []
    assert len(drawn["c"]) > 2 * len(drawn["a"]) > 2 * len(drawn["b"])


def test_no_more_clips_are_drawn_than_there_are():
    drawn = draw_candidates({"a": 50}, 50, RandomConfig(n_clips=1000, seed=0))
    assert sorted(drawn["a"]) == [(0, yaw) for yaw in range(360)]
    assert draw_candidates({"a": 3}, 50, RandomConfig(n_clips=10, seed=0)) == {"a": []}
