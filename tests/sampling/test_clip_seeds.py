import numpy as np

from savg_ray.sampling.clip_seeds import ClipSeeds

GOLDEN_NOISE = [-0.038635071, 0.015318424, 0.44322604]
GOLDEN_SHIFTS = [7, 3, 10]
GOLDEN_NUMBER = 8706967270008353610


def test_a_clip_has_the_same_noise_whenever_and_wherever_it_is_drawn():
    first = ClipSeeds(3, 7).noise("video", (2, 5))
    ClipSeeds(3, 8).noise("video", (9,))
    np.testing.assert_array_equal(first, ClipSeeds(3, 7).noise("video", (2, 5)))
    # Written down, so that another version of the generator cannot change all clips unnoticed.
    np.testing.assert_allclose(ClipSeeds(0, 0).noise("video", (3,)), GOLDEN_NOISE, rtol=1e-6)
    assert ClipSeeds(0, 0).shifts(0, [19, 16, 12]).tolist() == GOLDEN_SHIFTS
    assert ClipSeeds(0, 0).number() == GOLDEN_NUMBER


def test_clips_seeds_and_purposes_are_independent():
    drawn = [
        ClipSeeds(seed, index).noise(purpose, (20_000,))
        for seed in (0, 1)
        for index in (0, 1)
        for purpose in ("video", "audio", "super_resolution")
    ]
    correlation = np.corrcoef(np.stack(drawn)) - np.eye(len(drawn))
    assert np.abs(correlation).max() < 0.03
    assert np.abs(np.mean(drawn)) < 0.01
    assert abs(np.std(drawn) - 1) < 0.01


def test_noise_that_is_drawn_again_and_again_is_told_apart_by_its_number():
    drawn = [ClipSeeds(0, 0).noise("video_step", (2000,), counter) for counter in range(3)]
    drawn += [ClipSeeds(0, 0).noise("audio_step", (2000,), 1), ClipSeeds(0, 0).noise("video", (2000,))]
    assert np.abs(np.corrcoef(np.stack(drawn)) - np.eye(len(drawn))).max() < 0.1
    np.testing.assert_array_equal(drawn[2], ClipSeeds(0, 0).noise("video_step", (2000,), 2))


def test_shifts_lie_within_inclusive_bounds_and_change_from_call_to_call():
    bounds = [19, 0, 3]
    drawn = np.stack([ClipSeeds(5, 2).shifts(call, bounds) for call in range(400)])
    assert drawn.min(axis=0).tolist() == [0, 0, 0]
    assert drawn.max(axis=0).tolist() == bounds
    assert len({tuple(row) for row in drawn}) > 60
    np.testing.assert_array_equal(drawn[17], ClipSeeds(5, 2).shifts(17, bounds))


def test_a_network_without_shifts_draws_none():
    assert ClipSeeds(0, 0).shifts(0, []).shape == (0,)


def test_numbers_for_other_generators_fit_everywhere():
    numbers = {ClipSeeds(1, index).number() for index in range(1000)}
    assert len(numbers) == 1000
    assert all(0 <= number < 2**63 for number in numbers)
