"""DDPM and DDIM: from noise to samples, step by step through the discrete diffusion."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch

from savg_ray.diffusion.gaussian_steps import clean_estimate, implied_noise, network_output, reverse_step
from savg_ray.diffusion.network_calls import Announce
from savg_ray.diffusion.schedules import DiffusionTables, at_steps, diffusion_tables
from savg_ray.diffusion.states import State, batch_size, each

Model = Callable[[State, torch.Tensor], State]
"""``model(x, labels)``: predicted noise for x; behind its channels, (B, 2C, ...), may stand variance values."""

StepNoise = Callable[[int], State] | Sequence[State] | State
"""Standard normal noise of each step, the first step drawn being number 0: a function of the number, a sequence, or
one state whose tensors have a leading dimension of steps. The last step needs none."""


def ddpm_sample(
    model: Model, x_T: State, total: int, spec: str, noise: StepNoise, *, announce: Announce | None = None
) -> State:
    """Ancestral sampling (Ho et al. 2020) with clean estimates clamped to [-1, 1].

    Args:
        model: predicts the noise, see ``Model``; labels are int64 (B,), steps' numbers before respacing.
        x_T: standard normal noise, a tensor (B, ...) or one for each modality.
        total: linear steps of the schedule.
        spec: which of them to take, see ``respaced_timesteps``.
        noise: of each step, see ``StepNoise``.
        announce: told before each call which rows it is for, see ``Announce``.

    Raises:
        UserError: as ``respaced_timesteps``.
        ValueError: a model that returns other shapes, or a batch without samples.
    """
    return last(ddpm_states(model, x_T, diffusion_tables(total, spec), noise, announce=announce))


def ddim_sample(model: Model, x_T: State, total: int, spec: str, *, announce: Announce | None = None) -> State:
    """Deterministic sampling (DDIM, Song et al. 2021, eta 0) with clean estimates clamped to [-1, 1].

    The noise is recomputed from the clamped estimate, and the last step returns the estimate itself. Arguments and
    errors are those of ``ddpm_sample``.
    """
    return last(ddim_states(model, x_T, diffusion_tables(total, spec), announce=announce))


@torch.no_grad()
def ddpm_states(
    model: Model, x_T: State, tables: DiffusionTables, noise: StepNoise, *, announce: Announce | None = None
) -> Iterator[State]:
    """The states of ``ddpm_sample`` after each step."""
    x = each(lambda tensor: tensor.float(), x_T)
    for i, step in enumerate(reversed(range(len(tables)))):
        output = ask(model, x, tables, step, i, announce)
        x = each(ddpm_step, x, output, noise_before(step, i, noise, x), args=(tables, step))
        yield x


@torch.no_grad()
def ddim_states(
    model: Model, x_T: State, tables: DiffusionTables, *, announce: Announce | None = None
) -> Iterator[State]:
    """The states of ``ddim_sample`` after each step."""
    x = each(lambda tensor: tensor.float(), x_T)
    for i, step in enumerate(reversed(range(len(tables)))):
        output = ask(model, x, tables, step, i, announce)
        x = each(ddim_step, x, output, args=(tables, step))
        yield x


def last(states: Iterator[State]) -> State:
    """The last of a run's states, none of the others kept."""
    return deque(states, maxlen=1).pop()


def ask(model: Model, x: State, tables: DiffusionTables, step: int, call: int, announce: Announce | None) -> State:
    """The network's output for a batch at one step, announced as its call number ``call``."""
    n = batch_size(x)
    if announce is not None:
        announce(range(n), [call] * n)
    device = (x if isinstance(x, torch.Tensor) else next(iter(x.values()))).device
    return model(x, torch.full((n,), int(tables.timesteps[step]), device=device))


def ddpm_step(
    x: torch.Tensor, output: torch.Tensor, noise: torch.Tensor, tables: DiffusionTables, step: int, clamp: bool = True
) -> torch.Tensor:
    """One step back for a network's output, with the step's noise: tensors (B, ...); ``clamp`` as `reverse_step`."""
    back = reverse_step(tables, x, output, [step], clamp=clamp)
    return back.mean + torch.exp(0.5 * back.log_variance) * noise


def noise_before(step: int, number: int, noise: StepNoise, x: State) -> State:
    """The noise of the ``number``-th step drawn, from any form of ``StepNoise``; zeros where step 0 is reached."""
    if step == 0:
        return each(torch.zeros_like, x)
    if callable(noise):
        return noise(number)
    if isinstance(noise, Mapping):
        return {name: steps[number] for name, steps in noise.items()}
    return noise[number]


def ddim_step(
    x: torch.Tensor, output: torch.Tensor, tables: DiffusionTables, step: int, clamp: bool = True
) -> torch.Tensor:
    """One deterministic step back for a network's output: tensors (B, ...); ``clamp`` as `reverse_step`."""
    x0 = clean_estimate(tables, x, network_output(output, x).noise, [step])
    if clamp:
        x0 = x0.clamp(-1, 1)
    signal = at_steps(np.sqrt(tables.alpha_bars_prev), [step], x)
    spread = at_steps(np.sqrt(1 - tables.alpha_bars_prev), [step], x)
    return signal * x0 + spread * implied_noise(tables, x, x0, [step])
