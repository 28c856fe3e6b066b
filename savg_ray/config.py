"""What an evaluation may be told; ``configs/evaluation/`` holds its presets."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from savg_ray.presets import CONFIGS, load_preset

PRESETS = CONFIGS / "evaluation"

StageName = Literal["decode", "detections", "video_features", "temporal", "seld", "audio_features"]


class Pool(BaseModel):
    """Workers of one stage: how many, and what each of them takes.

    ``num_gpus`` may be a fraction; a stage with 0 GPUs runs on CPUs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int = Field(ge=1)
    num_cpus: float = Field(default=0.0, ge=0)
    num_gpus: float = Field(default=0.0, ge=0)


class EvaluationConfig(BaseModel):
    """Everything that decides how an evaluation is computed; ``configs/evaluation/*.yaml`` explains each key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    preset: str
    protocol: Literal["official", "whole"]
    n_windows: int | None = Field(default=None, ge=2)
    detector: Literal["native", "mmdet"] = "native"
    precision: Literal["float32", "bfloat16"] = "float32"
    decode_deadline_s: float = Field(default=30.0, gt=0)
    clips_per_batch: int | None = Field(default=None, ge=1)
    pools: dict[StageName, Pool] | None = None

    @model_validator(mode="after")
    def _windows_belong_to_the_official_protocol(self) -> "EvaluationConfig":
        if (self.n_windows is None) == (self.protocol == "official"):
            raise ValueError("n_windows is for the official protocol, which needs it")
        return self

    @property
    def official(self) -> bool:
        """Whether the official protocol, quirks included, is asked for."""
        return self.protocol == "official"


def load_config(preset: str, overrides: Path | None = None) -> EvaluationConfig:
    """A preset of evaluation, with the keys of a YAML file laid over it.

    Raises:
        UserError: unknown preset, missing or malformed file, unknown key or a value out of range.
    """
    return load_preset(EvaluationConfig, PRESETS, preset, overrides)
