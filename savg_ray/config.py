"""What an evaluation may be told; ``configs/evaluation/`` holds its presets."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from savg_ray.presets import CONFIGS, load_preset
from savg_ray.weights.choose import WeightsMode

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
    networks: Literal["official", "mini"] = "official"
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

    @model_validator(mode="after")
    def _small_networks_are_for_whole_clips(self) -> "EvaluationConfig":
        if self.mini and self.official:
            raise ValueError("networks: mini is for protocol: whole")
        if self.mini and self.detector != "native":
            raise ValueError("networks: mini is for detector: native")
        return self

    @property
    def official(self) -> bool:
        """Whether the official protocol, quirks included, is asked for."""
        return self.protocol == "official"

    @property
    def mini(self) -> bool:
        """Whether the small networks score, and metric names say so."""
        return self.networks == "mini"

    @property
    def weights(self) -> WeightsMode:
        """The weights to use where nobody asks for others."""
        return "bundled" if self.mini else "official"


def load_config(preset: str, overrides: Path | None = None) -> EvaluationConfig:
    """A preset of evaluation, with the keys of a YAML file laid over it.

    Raises:
        UserError: unknown preset, missing or malformed file, unknown key or a value out of range.
    """
    return load_preset(EvaluationConfig, PRESETS, preset, overrides)
