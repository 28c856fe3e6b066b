"""Validated YAML: what an evaluation may be told, and the named presets."""

import difflib
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from savg_ray.errors import UserError

PRESETS = Path(__file__).parents[1] / "configs" / "presets"

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
    """Everything that decides how an evaluation is computed; ``configs/presets/*.yaml`` says what each key means."""

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


def preset_names() -> list[str]:
    """The named presets."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def load_config(preset: str, overrides: Path | None = None) -> EvaluationConfig:
    """A preset, with the keys of a YAML file laid over it.

    Raises:
        UserError: unknown preset, missing or malformed file, unknown key or a value out of range.
    """
    if preset not in preset_names():
        raise UserError(f"There is no preset {preset!r}; the presets are {', '.join(preset_names())}.")
    values = _read_yaml(PRESETS / f"{preset}.yaml")
    if overrides is not None:
        values |= _read_yaml(overrides)
    try:
        return EvaluationConfig.model_validate(values)
    except ValidationError as error:
        raise UserError(_first_complaint(error, overrides or PRESETS / f"{preset}.yaml")) from error


def _read_yaml(path: Path) -> dict:
    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise UserError(f"The configuration {path} cannot be read ({error.strerror}).") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"The configuration {path} is not valid YAML: {' '.join(str(error).split())}.") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UserError(f"The configuration {path} must hold keys and values, not a {type(values).__name__}.")
    return values


def _first_complaint(error: ValidationError, path: Path) -> str:
    problem = error.errors()[0]
    key = ".".join(str(part) for part in problem["loc"] if part != "[key]")
    if problem["type"] == "extra_forbidden":
        known = [*EvaluationConfig.model_fields, *Pool.model_fields]
        close = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"the keys are {', '.join(EvaluationConfig.model_fields)}."
        return f"{path}: unknown key {key!r}; {hint}"
    where = f"key {key!r}: " if key else ""
    return f"{path}: {where}{problem['msg'].removeprefix('Value error, ')}."
