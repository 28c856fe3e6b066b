"""The discrete diffusion's tables: noise levels and posteriors of every step, in float64."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from savg_ray.diffusion.respacing import respaced_timesteps


def linear_betas(total: int) -> np.ndarray:
    """Variances added by ``total`` steps, float64: 1e-4 to 0.02 for 1000 steps, scaled by 1000 / total for others."""
    return np.linspace(0.1 / total, 20 / total, total)


def alpha_bars(betas: np.ndarray) -> np.ndarray:
    """Share of the signal's variance left after each step, float64: the running product of 1 - beta."""
    return np.cumprod(1 - betas)


@dataclass(frozen=True)
class DiffusionTables:
    """One float64 entry a step, step 0 the least noisy (Ho et al. 2020; Nichol and Dhariwal 2021).

    Attributes:
        timesteps: label of each step for the network, int64: its number before respacing.
        betas: variance that the step adds.
        alpha_bars: share of the signal's variance after the step.
        alpha_bars_prev: the same before the step (1 for step 0).
        posterior_variance: of q(x_{t-1} | x_t, x_0).
        posterior_log_variance: its logarithm, entry 0 (minus infinity) replaced by entry 1.
        posterior_mean_x0: weight of x_0 in the posterior's mean.
        posterior_mean_xt: weight of x_t in the posterior's mean.
    """

    timesteps: np.ndarray
    betas: np.ndarray
    alpha_bars: np.ndarray
    alpha_bars_prev: np.ndarray
    posterior_variance: np.ndarray
    posterior_log_variance: np.ndarray
    posterior_mean_x0: np.ndarray
    posterior_mean_xt: np.ndarray

    def __len__(self) -> int:
        return len(self.betas)


@cache
def diffusion_tables(total: int, spec: str = "") -> DiffusionTables:
    """The tables of ``total`` linear steps, of which a respacing (``respaced_timesteps``) keeps some.

    Raises:
        UserError: as ``respaced_timesteps``.
    """
    kept = np.array(respaced_timesteps(total, spec), np.int64)
    return _tables(kept, alpha_bars(linear_betas(total))[kept])


def _tables(timesteps: np.ndarray, bars: np.ndarray) -> DiffusionTables:
    bars_prev = np.append(1.0, bars[:-1])
    betas = 1 - bars / bars_prev
    # The official tables multiply the kept betas up again, which decides their last bits.
    bars = alpha_bars(betas)
    bars_prev = np.append(1.0, bars[:-1])
    variance = betas * (1 - bars_prev) / (1 - bars)
    return DiffusionTables(
        timesteps=timesteps,
        betas=betas,
        alpha_bars=bars,
        alpha_bars_prev=bars_prev,
        posterior_variance=variance,
        posterior_log_variance=np.log(np.append(variance[1:2], variance[1:]) if len(variance) > 1 else betas),
        posterior_mean_x0=betas * np.sqrt(bars_prev) / (1 - bars),
        posterior_mean_xt=(1 - bars_prev) * np.sqrt(1 - betas) / (1 - bars),
    )


def at_steps(table: np.ndarray, steps: torch.Tensor | Sequence[int], like: torch.Tensor) -> torch.Tensor:
    """Entries of a float64 table as float32 (B, 1, ...), ready to be multiplied with a tensor (B, ...)."""
    entries = torch.as_tensor(table[np.asarray(torch.as_tensor(steps).cpu())], dtype=torch.float32)
    return entries.to(like.device).reshape(-1, *[1] * (like.ndim - 1))
