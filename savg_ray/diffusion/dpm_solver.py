"""DPM-Solver with a fixed number of steps: singlestep of orders 1 to 3, and multistep 2M."""

from collections.abc import Sequence
from functools import partial
from typing import Literal, get_args

import torch

from savg_ray.diffusion.dpm_steps import (
    data_estimate,
    data_first,
    data_multistep,
    noise_first,
    noise_second,
    noise_third,
)
from savg_ray.diffusion.network_calls import Announce, NoiseModel, Question, Questions, Solution, Trace, solve
from savg_ray.diffusion.noise_schedule import NoiseLevel, NoiseSchedule, linear_noise_schedule
from savg_ray.diffusion.states import Modalities, each

Skip = Literal["logSNR", "time_uniform"]


def dpm_solver_singlestep(
    model: NoiseModel, x_T: Modalities, steps: int, order: int, skip: Skip, *, announce: Announce | None = None
) -> Solution:
    """DPM-Solver (noise form) with exactly ``steps`` calls of the network ("fast": the last groups may be shorter).

    Args:
        model: predicts the noise, see ``NoiseModel``.
        x_T: standard normal noise by modality, (B, ...) each.
        steps: calls of the network.
        order: of the groups, 1 to 3.
        skip: levels evenly spaced in log signal-to-noise ratio or in time.
        announce: told before each call which rows it is for, see ``Announce``.

    Raises:
        ValueError: steps below 1, an unknown order or skip, or what ``solve`` raises.
    """
    schedule = linear_noise_schedule()
    levels = grid(schedule, steps, skip)
    groups = group_orders(steps, order)
    return solve(model, x_T, partial(_singlestep, schedule, levels, groups), announce=announce)


def dpm_solver_multistep(
    model: NoiseModel, x_T: Modalities, steps: int, *, thresholding: bool = False, announce: Announce | None = None
) -> Solution:
    """DPM-Solver++ 2M on levels evenly spaced in time, with ``steps`` calls of the network (the first of order 1).

    Args:
        model: predicts the noise, see ``NoiseModel``.
        x_T: standard normal noise by modality, (B, ...) each.
        steps: calls of the network.
        thresholding: dynamic, of each estimate of the clean sample.
        announce: told before each call which rows it is for, see ``Announce``.

    Raises:
        ValueError: steps below 1, or what ``solve`` raises.
    """
    schedule = linear_noise_schedule()
    levels = grid(schedule, steps, "time_uniform")
    return solve(model, x_T, partial(_multistep, schedule, levels, thresholding), announce=announce)


def grid(schedule: NoiseSchedule, steps: int, skip: Skip) -> list[NoiseLevel]:
    """``steps + 1`` noise levels from pure noise to (almost) none.

    Raises:
        ValueError: steps below 1 or an unknown skip.
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, not {steps}")
    if skip == "time_uniform":
        return [schedule.level(time) for time in torch.linspace(schedule.start_time, schedule.end_time, steps + 1)]
    if skip == "logSNR":
        first, last = schedule.level(schedule.start_time), schedule.level(schedule.end_time)
        ratios = torch.linspace(float(first.half_log_snr), float(last.half_log_snr), steps + 1)
        return [schedule.level_at(ratio) for ratio in ratios]
    raise ValueError(f"skip must be one of {', '.join(get_args(Skip))}, not {skip!r}")


def group_orders(steps: int, order: int) -> list[int]:
    """Orders of the groups that together make exactly ``steps`` calls.

    As many groups of the full order as fit; order 3 ends in 2, 1 where nothing would be left for a lower last order.

    Raises:
        ValueError: an order other than 1, 2 or 3.
    """
    if order not in (1, 2, 3):
        raise ValueError(f"order must be 1, 2 or 3, not {order}")
    full, rest = divmod(steps, order)
    if order == 3 and rest == 0:
        return [3] * (full - 1) + [2, 1]
    return [order] * full + [rest] * (rest > 0)


def _singlestep(
    schedule: NoiseSchedule, levels: Sequence[NoiseLevel], orders: Sequence[int], x: Modalities, trace: Trace
) -> Questions:
    start = 0
    for order in orders:
        x = yield from _group(schedule, levels[start : start + order + 1], x)
        start += order
    return x


def _group(schedule: NoiseSchedule, levels: Sequence[NoiseLevel], x: Modalities) -> Questions:
    """One step from the first to the last of 2 to 4 levels; its order is their number less one."""
    now, then = levels[0], levels[-1]
    h = then.half_log_snr - now.half_log_snr
    shares = [(level.half_log_snr - now.half_log_snr) / h for level in levels[1:-1]]
    between = [schedule.level_at(now.half_log_snr + share * h) for share in shares]
    noise = yield Question(x, schedule.label(now))
    if not between:
        return each(noise_first, x, noise, args=(now, then, h))
    u = each(noise_first, x, noise, args=(now, between[0], shares[0] * h))
    noise_1 = yield Question(u, schedule.label(between[0]))
    if len(between) == 1:
        return each(noise_second, x, noise, noise_1, args=(now, then, h, shares[0]))
    u = each(noise_third, x, noise, noise_1, args=(now, between[1], shares[1] * h, shares[0] / shares[1]))
    noise_2 = yield Question(u, schedule.label(between[1]))
    return each(noise_third, x, noise, noise_2, args=(now, then, h, shares[1]))


def _multistep(
    schedule: NoiseSchedule, levels: Sequence[NoiseLevel], thresholding: bool, x: Modalities, trace: Trace
) -> Questions:
    data_before = None
    for i in range(len(levels) - 1):
        now, then = levels[i], levels[i + 1]
        noise = yield Question(x, schedule.label(now))
        data = each(data_estimate, x, noise, args=(now, thresholding))
        if data_before is None:
            x = each(data_first, x, data, args=(now, then, then.half_log_snr - now.half_log_snr))
        else:
            x = each(data_multistep, x, data, data_before, args=(levels[i - 1], now, then))
        data_before = data
    return x
