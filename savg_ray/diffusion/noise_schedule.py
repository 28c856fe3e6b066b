"""The diffusion in continuous time: noise levels between the discrete steps, as DPM-Solver needs them."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import torch
from torch.nn import functional

from savg_ray.diffusion.schedules import alpha_bars, linear_betas

TOTAL_STEPS = 1000


class NoiseLevel(NamedTuple):
    """A point on the way: time in (0, 1], half the log signal-to-noise ratio, scale of the signal and of the noise.

    All are float32 tensors without dimensions on the CPU, which multiply tensors of any device.
    """

    time: torch.Tensor
    half_log_snr: torch.Tensor
    alpha: torch.Tensor
    sigma: torch.Tensor


class NoiseSchedule:
    """Piecewise linear log alpha through the discrete levels, step i at time (i + 1) / total (Lu et al. 2022).

    Float32 on the CPU as in the official sampler, whose controller and truncated labels feel the last bits. Functions
    are computed in float64 and rounded, because processors disagree about the last bit of a float32 root.
    """

    start_time = 1.0

    def __init__(self, total: int = TOTAL_STEPS) -> None:
        self.total = total
        self.end_time = 1 / total
        self._times = torch.linspace(0, 1, total + 1)[1:]
        bars = torch.from_numpy(alpha_bars(linear_betas(total))).float()
        self._log_alphas = 0.5 * _rounded(torch.log, bars)

    def level(self, time: torch.Tensor | float) -> NoiseLevel:
        """The noise level at a time."""
        time = torch.as_tensor(time, dtype=torch.float32)
        log_alpha = _interpolated(time, self._times, self._log_alphas)
        variance = 1 - _rounded(torch.exp, 2 * log_alpha)
        half_log_snr = log_alpha - 0.5 * _rounded(torch.log, variance)
        return NoiseLevel(time, half_log_snr, _rounded(torch.exp, log_alpha), _rounded(torch.sqrt, variance))

    def level_at(self, half_log_snr: torch.Tensor) -> NoiseLevel:
        """The noise level with a signal-to-noise ratio; its own fields are recomputed from the rounded time."""
        log_alpha = 0.5 * _rounded(functional.logsigmoid, 2 * half_log_snr)
        return self.level(_interpolated(log_alpha, self._log_alphas.flip(0), self._times.flip(0)))

    def label(self, level: NoiseLevel) -> int:
        """The network's label for a level: the discrete step's number, truncated towards zero."""
        return int((level.time - self.end_time) * self.total)


@cache
def linear_noise_schedule() -> NoiseSchedule:
    """The schedule of the base diffusion, 1000 linear steps."""
    return NoiseSchedule()


def _rounded(function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    return function(x.double()).float()


def _interpolated(x: torch.Tensor, xs: torch.Tensor, ys: torch.Tensor) -> torch.Tensor:
    """Piecewise linear through ascending nodes, the outermost segments continued."""
    i = int(torch.searchsorted(xs, x).clamp(1, len(xs) - 1))
    return ys[i - 1] + (x - xs[i - 1]) * (ys[i] - ys[i - 1]) / (xs[i] - xs[i - 1])
