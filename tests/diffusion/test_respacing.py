import pytest

from savg_ray.diffusion import respaced_timesteps
from savg_ray.errors import UserError
from tests.diffusion.goldens import golden

GOLDEN = {tuple(key.split("|")[1:]): steps for key, steps in golden("schedules").items() if key.startswith("space|")}


@pytest.mark.parametrize(("total", "spec"), GOLDEN)
def test_golden_respacings(total, spec):
    assert respaced_timesteps(int(total), spec) == GOLDEN[total, spec].tolist()


def test_the_upsamplers_steps():
    assert respaced_timesteps(1100, "ddim25") == list(range(0, 1100, 44))


def test_nothing_said_keeps_all():
    assert respaced_timesteps(7, "") == respaced_timesteps(7, "7") == respaced_timesteps(7, "ddim7") == list(range(7))


def test_one_step_is_a_sections_first():
    assert respaced_timesteps(10, "1,1") == [0, 5]


@pytest.mark.parametrize(
    ("total", "spec", "words"),
    [
        (1000, "ddim999", "no integer stride keeps exactly 999 of 1000"),
        (10, "ddim7", "no integer stride"),
        (10, "ddim", "must be"),
        (10, "ddimx", "must be"),
        (10, "dpm5", "must be"),
        (10, "2,,3", "must be"),
        (10, "2.5", "must be"),
        (10, "-3", "must be"),
        (10, "0", "must be"),
        (10, "11", "11 of the 10 steps"),
        (11, "6,6", "6 of the 5 steps"),
        (0, "", "at least one step"),
    ],
)
def test_impossible_respacings_are_named(total, spec, words):
    with pytest.raises(UserError, match=words):
        respaced_timesteps(total, spec)
