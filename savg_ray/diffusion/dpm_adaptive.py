"""DPM-Solver++ that finds its own steps: order 2, with the difference to order 1 as the error (Lu et al. 2022)."""

import math
from functools import partial

import torch

from savg_ray.diffusion.dpm_steps import data_estimate, data_first, data_second
from savg_ray.diffusion.network_calls import (
    Announce,
    Attempt,
    NoiseModel,
    Question,
    Questions,
    Solution,
    Trace,
    solve,
)
from savg_ray.diffusion.noise_schedule import NoiseSchedule, linear_noise_schedule
from savg_ray.diffusion.states import Modalities, each
from savg_ray.errors import ClipError

ABSOLUTE_TOLERANCE = 0.0078
RELATIVE_TOLERANCE = 0.05
SAFETY = 0.9
FIRST_STEP = 0.05
MAX_ATTEMPTS = 1000

_SHARE = 0.5
_TIME_TOLERANCE = 1e-5


def dpm_solver_adaptive(
    model: NoiseModel,
    x_T: Modalities,
    *,
    thresholding: bool = True,
    per_sample: bool = False,
    announce: Announce | None = None,
) -> Solution:
    """The sampler of the SAVGBench joint method.

    By default one controller steps the whole batch by its worst sample and modality, and asks the network again for
    what a rejected step knew already: exactly the official way, in which results depend on batch mates. With
    ``per_sample`` every sample has its own time, step and rejections, and its result depends on no other, bit for
    bit where the network treats rows independently. What was predicted at a sample's time is then kept after a
    rejection: the same numbers with a network that is a function, one call saved, so that the sample's calls are
    2 x attempts - rejected. With a network that draws window shifts in each call, the first draw at that time stays.

    Args:
        model: predicts the noise, see ``NoiseModel``.
        x_T: standard normal noise by modality, (B, ...) each.
        thresholding: dynamic, of each estimate of the clean sample, by modality.
        per_sample: each sample on its own.
        announce: told before each call which rows it is for, see ``Announce``.

    Raises:
        ClipError: ``diverged`` when the network returns numbers that are not finite, or steps shrink without end.
        ValueError: as ``solve``.
    """
    start = partial(_adaptive, linear_noise_schedule(), thresholding, per_sample)
    return solve(model, x_T, start, per_sample=per_sample, announce=announce)


def _adaptive(
    schedule: NoiseSchedule, thresholding: bool, keep_prediction: bool, x: Modalities, trace: Trace
) -> Questions:
    now, end = schedule.level(schedule.start_time), schedule.level(schedule.end_time)
    h, lower, data = torch.tensor(FIRST_STEP), x, None
    while abs(now.time - end.time) > _TIME_TOLERANCE:
        then = schedule.level_at(now.half_log_snr + h)
        step = then.half_log_snr - now.half_log_snr
        between = schedule.level_at(now.half_log_snr + _SHARE * step)
        if data is None:
            noise = yield Question(x, schedule.label(now))
            data = each(data_estimate, x, noise, args=(now, thresholding))
        u = each(data_first, x, data, args=(now, between, _SHARE * step))
        noise = yield Question(u, schedule.label(between))
        data_between = each(data_estimate, u, noise, args=(between, thresholding))

        previous_lower, candidate = lower, each(data_first, x, data, args=(now, then, step))
        higher = each(data_second, x, data, data_between, args=(now, then, step, _SHARE))
        error = _error(candidate, higher, previous_lower)
        trace.attempts.append(Attempt(float(now.time), float(then.time), float(error)))
        _check_progress(trace)
        if trace.attempts[-1].accepted:
            x, lower, now, data = higher, candidate, then, None
        elif not keep_prediction:
            data = None
        # Without bounds on growth or shrinkage, as the official controller has it.
        h = torch.minimum(SAFETY * h * error**-0.5, end.half_log_snr - now.half_log_snr)
    return x


def _error(lower: Modalities, higher: Modalities, previous_lower: Modalities) -> torch.Tensor:
    """The largest error of a sample and modality, in tolerances: float32 without dimensions, on the CPU."""
    errors = [_errors(lower[name], higher[name], previous_lower[name]) for name in lower]
    return torch.stack(errors).max().cpu()


def _errors(lower: torch.Tensor, higher: torch.Tensor, previous_lower: torch.Tensor) -> torch.Tensor:
    magnitude = torch.maximum(lower.abs(), previous_lower.abs())
    tolerance = (RELATIVE_TOLERANCE * magnitude).clamp(min=ABSOLUTE_TOLERANCE)
    return ((higher - lower) / tolerance).square().flatten(start_dim=1).mean(dim=1).sqrt()


def _check_progress(trace: Trace) -> None:
    if not math.isfinite(trace.attempts[-1].error):
        raise ClipError(
            "diverged",
            "the base network returned numbers that are not finite; check its weights, or use precision float32",
        )
    if len(trace.attempts) >= MAX_ATTEMPTS:
        raise ClipError(
            "diverged",
            f"the adaptive solver did not arrive within {MAX_ATTEMPTS} steps; use solver multistep for these weights",
        )
