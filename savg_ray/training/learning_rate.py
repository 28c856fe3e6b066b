"""Learning rates by step."""

import math

from savg_ray.seld import schedule as seld_schedule
from savg_ray.training.config import OptimiserConfig, ScheduleConfig


def learning_rate(step: int, steps: int, optimiser: OptimiserConfig, schedule: ScheduleConfig) -> float:
    """The rate of step 1, 2, ... of ``steps``.

    Linear from zero over the warm-up; then constant, or half a cosine (Loshchilov and Hutter 2017) down to
    ``final_share``; or the official rates of SELD, scaled so that their peak is the optimiser's rate.
    """
    peak = optimiser.learning_rate
    if schedule.kind == "seld":
        epoch = (step - 1) // schedule.epoch_steps + 1
        return peak * seld_schedule.learning_rate(epoch) / seld_schedule.PEAK
    warm_up = min(1.0, step / schedule.warmup_steps) if schedule.warmup_steps else 1.0
    if schedule.kind == "constant":
        return peak * warm_up
    share = max(0.0, (step - schedule.warmup_steps) / max(1, steps - schedule.warmup_steps))
    return peak * warm_up * (schedule.final_share + (1 - schedule.final_share) * (1 + math.cos(math.pi * share)) / 2)
