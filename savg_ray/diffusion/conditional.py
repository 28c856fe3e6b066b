"""Sound for a given video, and video for a given sound, with the joint network as it is (zero shot)."""

import math
from collections.abc import Iterator

import torch

from savg_ray.diffusion.ancestral import StepNoise, ask, ddim_step, ddpm_step, last, noise_before
from savg_ray.diffusion.gaussian_steps import noised
from savg_ray.diffusion.network_calls import Announce, NoiseModel
from savg_ray.diffusion.schedules import DiffusionTables, diffusion_tables
from savg_ray.diffusion.states import Modalities, batch_size, each


def audio_for_video(
    model: NoiseModel,
    video: torch.Tensor,
    x_T: Modalities,
    total: int,
    spec: str,
    noise: StepNoise,
    *,
    guidance_scale: float = 0.0,
    announce: Announce | None = None,
) -> Modalities:
    """Sound (and the network's own version of the video) for a video, by DDPM sampling.

    At every step the video is overwritten by the given one, noised with the video's part of ``x_T``. With a
    ``guidance_scale`` the sound also follows the gradient that brings the network's next video closer to the given
    one (official example: 3.0); its mean over the batch makes the pull on each clip weaker in larger batches, and
    what is returned for the video is then the given one, noised to step 0.

    Args:
        model: predicts the noise; for guidance differentiable in its input, with weights made outside inference mode.
        video: float32 (B, F, C, H, W) in [-1, 1].
        x_T: standard normal noise, ``video`` and ``audio``.
        total: linear steps of the schedule.
        spec: which of them to take, see ``respaced_timesteps``.
        noise: of each step, see ``StepNoise``.
        guidance_scale: 0 for none.
        announce: told before each call which rows it is for, see ``Announce``.

    Raises:
        UserError: as ``respaced_timesteps``.
        ValueError: a video of another shape than its noise, or what ``ddpm_sample`` raises.
    """
    tables = diffusion_tables(total, spec)
    return last(conditional_states(model, {"video": video}, x_T, tables, noise, guidance_scale, announce))


def video_for_audio(
    model: NoiseModel,
    audio: torch.Tensor,
    x_T: Modalities,
    total: int,
    spec: str,
    noise: StepNoise,
    *,
    guidance_scale: float = 0.0,
    announce: Announce | None = None,
) -> Modalities:
    """Video for a sound, float32 (B, C, L) in [-1, 1]: ``audio_for_video`` with the modalities' roles exchanged."""
    tables = diffusion_tables(total, spec)
    return last(conditional_states(model, {"audio": audio}, x_T, tables, noise, guidance_scale, announce))


def conditional_states(
    model: NoiseModel,
    known: Modalities,
    x_T: Modalities,
    tables: DiffusionTables,
    noise: StepNoise,
    guidance_scale: float = 0.0,
    announce: Announce | None = None,
    *,
    clamp: bool = True,
    deterministic: bool = False,
) -> Iterator[Modalities]:
    """The states after each step, with the modalities in ``known`` overwritten before each; ``audio_for_video``.

    ``clamp`` limits clean estimates to [-1, 1]. ``deterministic`` takes DDIM's steps (eta 0) instead of DDPM's.
    """
    _check_known(known, x_T)
    x = each(lambda tensor: tensor.float(), x_T)
    x_start = x
    for i, step in enumerate(reversed(range(len(tables)))):
        x = {**x, **_noised_known(known, x_start, tables, step)}
        z = None if deterministic else noise_before(step, i, noise, x)
        if guidance_scale == 0:
            with torch.no_grad():
                x = _back(x, ask(model, x, tables, step, i, announce), z, tables, step, clamp)
        else:
            wanted = _noised_known(known, x_start, tables, max(step - 1, 0))
            after, gradients = _step_and_gradients(model, x, z, wanted, tables, step, i, announce, clamp)
            pull = guidance_scale * math.sqrt(tables.alpha_bars[step]) if step else 0.0
            x = {name: after[name] - pull * gradients[name] if name in gradients else x[name] for name in x}
        yield x


def _noised_known(known: Modalities, x_start: Modalities, tables: DiffusionTables, step: int) -> Modalities:
    return {name: noised(tables, clean, x_start[name], [step]) for name, clean in known.items()}


def _back(
    x: Modalities, output: Modalities, z: Modalities | None, tables: DiffusionTables, step: int, clamp: bool
) -> Modalities:
    if z is None:
        return each(ddim_step, x, output, args=(tables, step, clamp))
    return each(ddpm_step, x, output, z, args=(tables, step, clamp))


@torch.inference_mode(False)
@torch.enable_grad()
def _step_and_gradients(
    model: NoiseModel,
    x: Modalities,
    z: Modalities | None,
    wanted: Modalities,
    tables: DiffusionTables,
    step: int,
    call: int,
    announce: Announce | None,
    clamp: bool,
) -> tuple[Modalities, Modalities]:
    """The state after a step, and how the distance of its known modalities from ``wanted`` depends on the others."""
    # Tensors made in inference mode may not take part; their copies may.
    x, wanted = (each(torch.clone, state) for state in (x, wanted))
    z = None if z is None else each(torch.clone, z)
    free = {name: tensor.requires_grad_() for name, tensor in x.items() if name not in wanted}
    after = _back(x, ask(model, x, tables, step, call, announce), z, tables, step, clamp)
    distance = sum((after[name] - target).square().mean() for name, target in wanted.items())
    gradients = torch.autograd.grad(distance, list(free.values()))
    return each(torch.detach, after), dict(zip(free, gradients, strict=True))


def _check_known(known: Modalities, x_T: Modalities) -> None:
    batch_size(x_T)
    for name, tensor in known.items():
        if name not in x_T or tensor.shape != x_T[name].shape:
            shape = tuple(x_T[name].shape) if name in x_T else "none"
            raise ValueError(
                f"the given {name} {tuple(tensor.shape)} must have the shape of its noise in x_T, {shape}"
            )
