"""What the two diffusion networks are trained to make small, per sample."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import torch

from savg_ray.diffusion.gaussian_steps import network_output, noised, posterior_mean, reverse_step
from savg_ray.diffusion.network_calls import NoiseModel
from savg_ray.diffusion.schedules import DiffusionTables, at_steps
from savg_ray.diffusion.states import Modalities, State, checked_prediction, each

SRLossKind = Literal["mse", "rescaled_mse", "rescaled_kl"]

_LARGEST_SIGNAL_TO_NOISE = 5

_BIN_RADIUS = 1 / 255
_EDGE = 0.999
_SMALLEST_PROBABILITY = 1e-12


@dataclass(frozen=True)
class JointLoss:
    """Losses of the base network, (B,) each: the sum, and the mean squared error of each modality's noise."""

    loss: torch.Tensor
    mse: Modalities


@dataclass(frozen=True)
class SRLoss:
    """Losses of the upsampler, (B,) each: what to minimise, the noise's mean squared error, the variational bound.

    ``vb`` is in bits per dimension, rescaled if the kind is.
    """

    loss: torch.Tensor
    mse: torch.Tensor
    vb: torch.Tensor


def mm_loss(
    model: NoiseModel, x0: Modalities, noise: Modalities, steps: torch.Tensor, tables: DiffusionTables
) -> JointLoss:
    """The joint network's loss: both modalities' noise errors with equal weight, at the same step of a sample.

    Args:
        model: predicts the noise, see ``NoiseModel``.
        x0: clean samples in [-1, 1] by modality, (B, ...) each.
        noise: standard normal, shapes as x0.
        steps: int64 (B,) on any device (the CPU's need no waiting), each from 0 to ``len(tables) - 1``.
        tables: of the schedule, see ``diffusion_tables``.

    Raises:
        ValueError: a model that returns other shapes.
    """
    x = each(lambda clean, z: noised(tables, clean, z, steps), x0, noise)
    predicted = checked_prediction(model(x, labels_of(tables, steps, next(iter(x.values())))), x)
    mse = each(lambda z, guess: _mean_of_each((z - guess).square()), noise, predicted)
    return JointLoss(torch.stack(list(mse.values())).sum(dim=0), mse)


def sr_loss(
    model: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    x0: torch.Tensor,
    noise: torch.Tensor,
    steps: torch.Tensor,
    tables: DiffusionTables,
    kind: SRLossKind = "mse",
) -> SRLoss:
    """The upsampler's hybrid loss (Nichol and Dhariwal 2021, section 3.1).

    ``"mse"`` adds the bound as it is to the noise's error, ``"rescaled_mse"`` the bound times steps / 1000; in both
    the bound trains the variance only. ``"rescaled_kl"`` is the bound times the number of steps, and trains both.

    Args:
        model: ``model(x, labels)`` returns (N, 2C, H, W): noise, then variance values; bind the small images to it.
        x0: clean images in [-1, 1], (N, C, H, W).
        noise: standard normal, of the same shape.
        steps: int64 (N,) on any device (the CPU's need no waiting), each from 0 to ``len(tables) - 1``.
        tables: of the schedule, see ``diffusion_tables``.
        kind: see above.

    Raises:
        ValueError: an unknown kind, or a model that returns another shape.
    """
    if kind not in get_args(SRLossKind):
        raise ValueError(f"kind must be one of {', '.join(get_args(SRLossKind))}, not {kind!r}")
    x = noised(tables, x0, noise, steps)
    guess, variance = network_output(model(x, labels_of(tables, steps, x)), x)
    if variance is None:
        raise ValueError("the upsampler's loss needs a network that returns variance values behind the noise")
    mse = _mean_of_each((noise - guess).square())
    bound_guess = guess if kind == "rescaled_kl" else guess.detach()
    vb = variational_bound(tables, x0, x, torch.cat([bound_guess, variance], dim=1), steps)
    if kind == "rescaled_kl":
        vb = vb * len(tables)
        return SRLoss(vb, mse, vb)
    if kind == "rescaled_mse":
        vb = vb * (len(tables) / 1000)
    return SRLoss(mse + vb, mse, vb)


def clean_loss(
    model: Callable[[State, torch.Tensor], State],
    x0: State,
    noise: State,
    steps: torch.Tensor,
    tables: DiffusionTables,
) -> State:
    """The loss of a network that predicts the clean sample, (B,) by modality.

    Its mean squared error times 1 + min(signal-to-noise, 5): the error of the velocity (Salimans and Ho 2022), with
    the weight of nearly clean steps bounded (Hang et al. 2023). Not official; a small network learns sooner by it,
    because it need not carry the noise through to its output.

    Args:
        model: ``model(x, labels)`` returns the clean sample.
        x0, noise, steps, tables: as for `mm_loss`, or tensors instead of modalities.

    Raises:
        ValueError: a model that returns other shapes.
    """
    x = each(lambda clean, z: noised(tables, clean, z, steps), x0, noise)
    like = x if isinstance(x, torch.Tensor) else next(iter(x.values()))
    guess = checked_prediction(model(x, labels_of(tables, steps, like)), x)
    signal_to_noise = tables.alpha_bars / (1 - tables.alpha_bars)
    weights = at_steps(1 + signal_to_noise.clip(max=_LARGEST_SIGNAL_TO_NOISE), steps, like).flatten()
    return each(lambda clean, found: weights * _mean_of_each((clean - found).square()), x0, guess)


def labels_of(tables: DiffusionTables, steps: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """The network's labels, int64 (B,) on the device of ``like``, of steps (B,)."""
    return torch.from_numpy(tables.timesteps[steps.cpu().numpy()]).to(like.device)


def variational_bound(
    tables: DiffusionTables, x0: torch.Tensor, x: torch.Tensor, output: torch.Tensor, steps: torch.Tensor
) -> torch.Tensor:
    """The step's term of the variational bound, (B,) in bits per dimension (Ho et al. 2020, equation 5).

    The divergence of the network's reverse step, its clean estimate not clamped, from the true posterior; at step 0
    the negative log-likelihood of x0's 256 grey levels.
    """
    back = reverse_step(tables, x, output, steps, clamp=False)
    true_mean = posterior_mean(tables, x, x0, steps)
    true_log_variance = at_steps(tables.posterior_log_variance, steps, x)
    divergence = _gaussian_divergence(true_mean, true_log_variance, back.mean, back.log_variance)
    likelihood = _log_likelihood_of_grey_levels(x0, back.mean, 0.5 * back.log_variance)
    return torch.where((steps == 0).to(x.device), _mean_of_each(-likelihood), _mean_of_each(divergence)) / math.log(2)


def _gaussian_divergence(
    mean: torch.Tensor, log_variance: torch.Tensor, other_mean: torch.Tensor, other_log_variance: torch.Tensor
) -> torch.Tensor:
    """KL divergence of the first normal distribution from the other, in nats, elementwise."""
    ratio = torch.exp(log_variance - other_log_variance)
    distance = (mean - other_mean).square() * torch.exp(-other_log_variance)
    # In the official order: where the distributions all but agree, what is left is rounding.
    return 0.5 * (-1 + other_log_variance - log_variance + ratio + distance)


def _log_likelihood_of_grey_levels(x0: torch.Tensor, mean: torch.Tensor, log_deviation: torch.Tensor) -> torch.Tensor:
    """Log of the normal probability of the bin around x0; the outermost bins reach to infinity."""
    precision = torch.exp(-log_deviation)
    below_upper = _normal_cdf(precision * (x0 - mean + _BIN_RADIUS))
    below_lower = _normal_cdf(precision * (x0 - mean - _BIN_RADIUS))
    probability = torch.where(
        x0 < -_EDGE, below_upper, torch.where(x0 > _EDGE, 1 - below_lower, below_upper - below_lower)
    )
    return probability.clamp(min=_SMALLEST_PROBABILITY).log()


def _normal_cdf(z: torch.Tensor) -> torch.Tensor:
    """The official approximation by a tanh."""
    return 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))


def _mean_of_each(x: torch.Tensor) -> torch.Tensor:
    return x.flatten(start_dim=1).mean(dim=1)
