"""DPM-Solver's steps between two noise levels (Lu et al. 2022, DPM-Solver and DPM-Solver++).

Steps in "data" form use estimates of the clean sample, steps in "noise" form predicted noise. ``h`` is the step in
half the log signal-to-noise ratio. States are single tensors of any shape.
"""

import torch

from savg_ray.diffusion.noise_schedule import NoiseLevel
from savg_ray.diffusion.thresholding import dynamically_thresholded

Tensor = torch.Tensor


def data_estimate(x: Tensor, noise: Tensor, now: NoiseLevel, thresholding: bool) -> Tensor:
    """The clean sample (B, ...) that predicted noise implies, thresholded dynamically or as it is."""
    data = (x - now.sigma * noise) / now.alpha
    return dynamically_thresholded(data) if thresholding else data


def data_first(x: Tensor, data: Tensor, now: NoiseLevel, then: NoiseLevel, h: Tensor) -> Tensor:
    """Order 1, DPM-Solver++ equation 8 without its integral: the same as a step of DDIM."""
    return (then.sigma / now.sigma) * x - then.alpha * torch.expm1(-h) * data


def data_second(
    x: Tensor, data: Tensor, data_between: Tensor, now: NoiseLevel, then: NoiseLevel, h: Tensor, share: float
) -> Tensor:
    """Order 2, DPM-Solver++ algorithm 1; ``data_between`` was estimated after a ``share`` of h."""
    correction = then.alpha * torch.expm1(-h) * (data_between - data)
    return data_first(x, data, now, then, h) - correction / (2 * share)


def data_multistep(
    x: Tensor, data: Tensor, data_before: Tensor, before: NoiseLevel, now: NoiseLevel, then: NoiseLevel
) -> Tensor:
    """Order 2 from the estimates at this and the previous level, DPM-Solver++ algorithm 2 (2M)."""
    h = then.half_log_snr - now.half_log_snr
    ratio = (now.half_log_snr - before.half_log_snr) / h
    correction = then.alpha * torch.expm1(-h) * (data - data_before)
    return data_first(x, data, now, then, h) - 0.5 * correction / ratio


def noise_first(x: Tensor, noise: Tensor, now: NoiseLevel, then: NoiseLevel, h: Tensor) -> Tensor:
    """Order 1, DPM-Solver equation 3.7 (DPM-Solver-1)."""
    return (then.alpha / now.alpha) * x - then.sigma * torch.expm1(h) * noise


def noise_second(
    x: Tensor, noise: Tensor, noise_between: Tensor, now: NoiseLevel, then: NoiseLevel, h: Tensor, share: float
) -> Tensor:
    """Order 2, DPM-Solver algorithm 4 (DPM-Solver-2); ``noise_between`` was predicted after a ``share`` of h."""
    correction = then.sigma * torch.expm1(h) * (noise_between - noise)
    return noise_first(x, noise, now, then, h) - correction / (2 * share)


def noise_third(
    x: Tensor, noise: Tensor, noise_between: Tensor, now: NoiseLevel, then: NoiseLevel, h: Tensor, share: Tensor
) -> Tensor:
    """Order 3, and the state at its second intermediate level, DPM-Solver algorithm 5 (DPM-Solver-3).

    ``share`` is the part of h after which ``noise_between`` was predicted.
    """
    correction = then.sigma * (torch.expm1(h) / h - 1) * (noise_between - noise)
    return noise_first(x, noise, now, then, h) - correction / share
