"""What the discrete diffusion computes at a step: noising, the estimate of the clean sample, one step back."""

from typing import NamedTuple

import numpy as np
import torch

from savg_ray.diffusion.schedules import DiffusionTables, at_steps


def noised(tables: DiffusionTables, x0: torch.Tensor, noise: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """q(x_t | x_0): clean samples (B, ...) with standard normal noise of the same shape mixed in, for steps (B,)."""
    signal = at_steps(np.sqrt(tables.alpha_bars), steps, x0)
    spread = at_steps(np.sqrt(1 - tables.alpha_bars), steps, x0)
    return signal * x0 + spread * noise


def clean_estimate(
    tables: DiffusionTables, x: torch.Tensor, noise: torch.Tensor, steps: torch.Tensor
) -> torch.Tensor:
    """The clean sample that predicted noise implies, (B, ...), not clamped."""
    scale = at_steps(np.sqrt(1 / tables.alpha_bars), steps, x)
    return scale * x - at_steps(np.sqrt(1 / tables.alpha_bars - 1), steps, x) * noise


def implied_noise(tables: DiffusionTables, x: torch.Tensor, x0: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """The noise that an estimate of the clean sample implies, (B, ...): the inverse of ``clean_estimate``."""
    scale = at_steps(np.sqrt(1 / tables.alpha_bars), steps, x)
    return (scale * x - x0) / at_steps(np.sqrt(1 / tables.alpha_bars - 1), steps, x)


def posterior_mean(tables: DiffusionTables, x: torch.Tensor, x0: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """The mean of q(x_{t-1} | x_t, x_0), (B, ...)."""
    weight_x0 = at_steps(tables.posterior_mean_x0, steps, x)
    return weight_x0 * x0 + at_steps(tables.posterior_mean_xt, steps, x) * x


class NetworkOutput(NamedTuple):
    """Predicted noise (B, ...), and the variance values in about [-1, 1] of a network that predicts them."""

    noise: torch.Tensor
    variance: torch.Tensor | None


def network_output(output: torch.Tensor, x: torch.Tensor) -> NetworkOutput:
    """A network's output (B, C, ...), or (B, 2C, ...) with variance values behind, as float32 parts of x's shape.

    Raises:
        ValueError: another shape.
    """
    if output.shape == x.shape:
        return NetworkOutput(output.float(), None)
    noise, *variance = output.float().split(x.shape[1], dim=1)
    if len(variance) != 1 or noise.shape != x.shape or variance[0].shape != x.shape:
        raise ValueError(
            f"for an input {tuple(x.shape)} the model must return that shape, or twice its channels, "
            f"but returned {tuple(output.shape)}"
        )
    return NetworkOutput(noise, variance[0])


class ReverseStep(NamedTuple):
    """The distribution of x_{t-1}: mean (B, ...), log variance that broadcasts to it, and the clean estimate."""

    mean: torch.Tensor
    log_variance: torch.Tensor
    x0: torch.Tensor


def reverse_step(
    tables: DiffusionTables, x: torch.Tensor, output: torch.Tensor, steps: torch.Tensor, *, clamp: bool = True
) -> ReverseStep:
    """p(x_{t-1} | x_t) for the output of a network (see ``network_output``).

    ``clamp`` limits the clean estimate to [-1, 1]. Without variance values the variance is beta ("fixed large", Ho
    et al. 2020), else between the posterior's and beta (Nichol and Dhariwal 2021, equation 15).
    """
    noise, variance = network_output(output, x)
    x0 = clean_estimate(tables, x, noise, steps)
    if clamp:
        x0 = x0.clamp(-1, 1)
    if variance is None:
        log_variance = at_steps(_fixed_large_log_variance(tables), steps, x)
    else:
        share = (variance + 1) / 2
        largest, smallest = (
            at_steps(np.log(tables.betas), steps, x),
            at_steps(tables.posterior_log_variance, steps, x),
        )
        log_variance = share * largest + (1 - share) * smallest
    return ReverseStep(posterior_mean(tables, x, x0, steps), log_variance, x0)


def _fixed_large_log_variance(tables: DiffusionTables) -> np.ndarray:
    return np.append(tables.posterior_log_variance[:1], np.log(tables.betas[1:]))
