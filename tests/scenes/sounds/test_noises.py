import numpy as np
import pytest

from savg_ray.scenes.script import RATE_HZ
from savg_ray.scenes.sounds import noises
from tests.scenes.sounds.heard import loudness

ALL = ("clapping", "telephone", "clatter", "door", "knocking")


def onsets(sound):
    """How often the level jumps above a third of its top."""
    loud = loudness(sound)
    above = np.concatenate([[False], loud > 0.3 * loud.max()])
    return int(np.sum(above[1:] & ~above[:-1]))


@pytest.mark.parametrize("name", ALL)
def test_a_noise_lasts_as_long_as_asked_and_belongs_to_its_seed(name):
    make = getattr(noises, name)
    sound = make(1.3, 2)
    assert len(sound) == round(1.3 * RATE_HZ)
    assert np.isfinite(sound).all() and sound.std() > 0
    np.testing.assert_array_equal(sound, make(1.3, 2))
    assert not np.array_equal(sound, make(1.3, 3))


def test_each_step_is_heard_when_the_foot_comes_down():
    steps_s = np.array([0.2, 0.75, 1.3])
    loud = loudness(noises.footsteps(2.0, steps_s, 1))
    for step_s in steps_s:
        at = round(step_s * 100)
        assert loud[at : at + 5].max() > 20 * loud[at - 5 : at - 1].max()
    assert not noises.footsteps(1.0, np.zeros(0), 1).any()


@pytest.mark.parametrize(("name", "low", "high"), [("clapping", 11, 21), ("knocking", 15, 26)])
def test_claps_and_knocks_per_four_seconds(name, low, high):
    assert low <= onsets(getattr(noises, name)(4.0, 5)) <= high


def test_a_telephone_warbles_between_two_tones_and_pauses():
    sound = noises.telephone(2.0, 4)
    assert not sound[round(1.25 * RATE_HZ) : round(1.95 * RATE_HZ)].any()
    spectrum = np.abs(np.fft.rfft(sound[:RATE_HZ]))
    assert spectrum[780:980].max() > 0.3 * spectrum.max()
    assert spectrum[1150:1400].max() > 0.3 * spectrum.max()


def test_a_door_ends_with_its_slam():
    loud = loudness(noises.door(1.4, 3))
    assert 95 <= np.argmax(loud) <= 110
