"""The chain of stages that makes a clip, and what identifies it."""

from pathlib import Path
from typing import Any

import torch

from savg_ray.errors import UserError
from savg_ray.generation.identity import sampling_identity
from savg_ray.networks.mm_unet import MMUNet
from savg_ray.networks.sr_unet import SRUNet
from savg_ray.sampling.config import Precision, SamplingConfig, Wanted
from savg_ray.sampling.upsampler import SCALE, upsampled_rows
from savg_ray.stages import network_stage
from savg_ray.stages.base_sampler import BaseSamplerStage
from savg_ray.stages.conditional_sampler import PictureSamplerStage, SoundSamplerStage
from savg_ray.stages.generate import GenerateStage
from savg_ray.stages.given_clip import GivenPicturesStage, GivenSoundStage
from savg_ray.stages.stage import Stage, drop_at_last_reader
from savg_ray.stages.super_resolution import SuperResolutionStage
from savg_ray.stages.write_clip import WriteClipStage
from savg_ray.weights.choose import ResolvedWeights, WeightsMode

_BUNDLED = {"joint": "mm_mini", "sr": "sr_mini"}


def networks(config: SamplingConfig, weights: WeightsMode) -> dict[str, str]:
    """The networks that a configuration needs, ``joint`` and ``sr``, and the names of their weights."""
    roles = ("joint",) if config.super_resolution is None else ("joint", "sr")
    return {role: _BUNDLED[role] if weights == "bundled" else role for role in roles}


def diffusion_stages(config: SamplingConfig, weights: dict[str, ResolvedWeights], device: str) -> list[Stage]:
    """Base diffusion, super-resolution (where it is wanted), and writing.

    Raises:
        UserError: a network does not know a key of its configuration, or cannot take the sizes.
    """
    _check_sizes(config)
    precision = resolved(config.base.precision, device)
    base = BaseSamplerStage(weights["joint"], config.base, precision, config.clips_per_batch)
    return _enlarged_and_written([base], config, weights, device)


def conditional_config(config: SamplingConfig, wanted: Wanted) -> SamplingConfig:
    """A configuration as it serves to make sound for pictures, which stay as they are, or pictures for sound.

    Raises:
        UserError: it steps whole batches as one.
    """
    if not config.base.per_clip:
        raise UserError(
            "Conditional sampling takes each clip by itself, but base.per_clip is false; lay "
            "`base: {per_clip: true}` over the preset with --config (of savgbench-official, the official algorithm "
            "stays: 1000 steps of DDPM and replacement)."
        )
    return config.model_copy(update={"super_resolution": None}) if wanted == "sound" else config


def conditional_stages(
    config: SamplingConfig, wanted: Wanted, weights: dict[str, ResolvedWeights], device: str
) -> list[Stage]:
    """Reading what is given, base diffusion of what is wanted, super-resolution of new pictures, and writing.

    Args:
        config: as `conditional_config` gives it.
        wanted: what is made for what is given.
        weights: by network name.
        device: where the networks go.

    Raises:
        UserError: as `diffusion_stages`.
    """
    _check_sizes(config)
    base, conditional = config.base, config.conditional
    precision, at_a_time = resolved(base.precision, device), config.clips_per_batch
    if wanted == "sound":
        given: Stage = GivenPicturesStage(base, conditional.antialias)
        sampler: Stage = SoundSamplerStage(weights["joint"], base, conditional, precision, at_a_time)
    else:
        given = GivenSoundStage(base)
        sampler = PictureSamplerStage(weights["joint"], base, conditional, precision, at_a_time)
    return _enlarged_and_written([given, sampler], config, weights, device)


def _enlarged_and_written(
    stages: list[Stage], config: SamplingConfig, weights: dict[str, ResolvedWeights], device: str
) -> list[Stage]:
    if config.super_resolution is not None:
        precision = resolved(config.super_resolution.precision, device)
        stages.append(SuperResolutionStage(weights["sr"], config.super_resolution, precision))
    stages.append(WriteClipStage(config.audio_codec))
    drop_at_last_reader(stages)
    return stages


def diffusion_identity(
    config: SamplingConfig, weights: dict[str, ResolvedWeights], device: str, wanted: Wanted | None = None
) -> str:
    """A digest of everything besides seed and index (or file given) that decides what a clip is.

    Args:
        config: of the run.
        weights: by network name.
        device: where the networks go.
        wanted: what is made for what is given; None where clips are made from nothing.
    """
    sections = {"joint": config.base, "sr": config.super_resolution}
    precisions = {name: resolved(one.precision, device) for name, one in sections.items() if one is not None}
    content = config.content if wanted is None else config.conditional_content(wanted)
    return sampling_identity(content, weights, precisions)


def generator_stages(reference: str, settings: dict[str, Any], search_path: Path, audio_codec: str) -> list[Stage]:
    """Somebody's generator, and writing."""
    stages: list[Stage] = [GenerateStage(reference, settings, search_path), WriteClipStage(audio_codec)]
    drop_at_last_reader(stages)
    return stages


def generator_identity(reference: str, settings: dict[str, Any], audio_codec: str) -> str:
    """The digest for somebody's generator."""
    return sampling_identity({"generator": reference, "config": settings, "audio_codec": audio_codec}, {}, {})


def resolved(precision: Precision, device: str) -> network_stage.Precision:
    """``auto`` is bfloat16 on GPUs, whose tensor cores want it, and float32 on CPUs."""
    if precision == "auto":
        return "bfloat16" if device == "cuda" else "float32"
    return precision


def _check_sizes(config: SamplingConfig) -> None:
    base, sr = config.base, config.super_resolution
    # Without memory: sizes are refused before anything is loaded.
    with torch.device("meta"):
        MMUNet(base.shape).check_sizes(base.n_frames, base.height_px, base.width_px, base.n_samples)
        if sr is not None:
            rows = upsampled_rows(sr, base.picture_height_px, base.width_px)
            SRUNet(sr.shape).check_sizes(SCALE * (rows.stop - rows.start), SCALE * base.width_px)
