"""What a training run may be told; ``configs/train/`` holds its presets."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from savg_ray.presets import CONFIGS, load_preset

PRESETS = CONFIGS / "train"

TaskName = Literal["joint", "sr", "seld", "detector", "video_features", "audio_features"]


class Section(BaseModel):
    """A part of a configuration: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OptimiserConfig(Section):
    """AdamW, or Adam with weight decay in the gradient, as the official SELD training has it."""

    kind: Literal["adamw", "adam"] = "adamw"
    learning_rate: float = Field(gt=0)
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = Field(default=0.0, ge=0)
    clip_norm: float | None = Field(default=None, gt=0)


class ScheduleConfig(Section):
    """How the learning rate goes: ``seld`` is the official one of SELD, in pseudo epochs of ``epoch_steps``."""

    kind: Literal["constant", "cosine", "seld"] = "constant"
    warmup_steps: int = Field(default=0, ge=0)
    final_share: float = Field(default=0.0, ge=0, le=1)
    epoch_steps: int = Field(default=1000, ge=1)


class AverageConfig(Section):
    """Which average of the weights is validated and exported.

    ``ema``: exponential with ``decay``. ``equal``: equal weights of every ``every``-th step from ``first_step`` on
    (stochastic weight averaging). Running statistics of batch normalisation do not fit averaged weights: networks
    that have them need ``bn_batches``, on which the statistics are then measured anew.
    """

    kind: Literal["none", "ema", "equal"] = "none"
    decay: float = Field(default=0.9999, ge=0, lt=1)
    first_step: int = Field(default=1, ge=1)
    every: int = Field(default=1, ge=1)
    bn_batches: int = Field(default=0, ge=0)


class TrainingConfig(Section):
    """Everything that decides how a model is trained; ``configs/train/*.yaml`` says what keys mean.

    ``task`` holds the keys of the task itself (`savg_ray.training.tasks`): its network and its data.
    """

    preset: str
    trains: TaskName
    task: dict[str, Any]
    seed: int = Field(default=0, ge=0)
    steps: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    micro_batch: int | None = Field(default=None, ge=1)
    optimiser: OptimiserConfig
    schedule: ScheduleConfig = ScheduleConfig()
    average: AverageConfig = AverageConfig()
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    checkpoint_every: int = Field(default=1000, ge=1)
    keep_last: int = Field(default=2, ge=1)
    validate_every: int | None = Field(default=None, ge=1)


def load_training_config(preset: str, overrides: Path | None = None) -> TrainingConfig:
    """A preset of training, with the keys of a YAML file laid over it.

    Raises:
        UserError: unknown preset, missing or malformed file, unknown key or a value out of range.
    """
    return load_preset(TrainingConfig, PRESETS, preset, overrides)
