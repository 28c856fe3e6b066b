from itertools import pairwise

import pytest

from savg_ray.training.config import OptimiserConfig, ScheduleConfig
from savg_ray.training.learning_rate import learning_rate

OPTIMISER = OptimiserConfig(learning_rate=0.01)


def rates(steps, **schedule):
    return [learning_rate(step, steps, OPTIMISER, ScheduleConfig(**schedule)) for step in range(1, steps + 1)]


def test_constant_after_a_linear_warm_up():
    assert rates(6, warmup_steps=4) == pytest.approx([0.0025, 0.005, 0.0075, 0.01, 0.01, 0.01])


def test_half_a_cosine_down_to_a_share():
    found = rates(100, kind="cosine", warmup_steps=20, final_share=0.1)
    assert (
        found[19] == pytest.approx(0.01) and found[59] == pytest.approx(0.0055) and found[99] == pytest.approx(0.001)
    )
    assert all(after < before for before, after in pairwise(found[19:]))
