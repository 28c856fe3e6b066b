"""The chain of stages that makes a clip, and what identifies it."""

from pathlib import Path
from typing import Any

import torch

from savg_ray.generation.identity import sampling_identity
from savg_ray.networks.mm_unet import MMUNet
from savg_ray.networks.sr_unet import SRUNet
from savg_ray.sampling.config import Precision, SamplingConfig
from savg_ray.sampling.upsampler import SCALE, upsampled_rows
from savg_ray.stages import network_stage
from savg_ray.stages.base_sampler import BaseSamplerStage
from savg_ray.stages.generate import GenerateStage
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
    stages: list[Stage] = [BaseSamplerStage(weights["joint"], config.base, precision, config.clips_per_batch)]
    if config.super_resolution is not None:
        precision = resolved(config.super_resolution.precision, device)
        stages.append(SuperResolutionStage(weights["sr"], config.super_resolution, precision))
    stages.append(WriteClipStage(config.audio_codec))
    drop_at_last_reader(stages)
    return stages


def diffusion_identity(config: SamplingConfig, weights: dict[str, ResolvedWeights], device: str) -> str:
    """A digest of everything besides seed and index that decides what a clip is."""
    sections = {"joint": config.base, "sr": config.super_resolution}
    precisions = {name: resolved(one.precision, device) for name, one in sections.items() if one is not None}
    return sampling_identity(config.content, weights, precisions)


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
