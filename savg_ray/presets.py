"""Presets: named YAML files that a model validates, with a user's keys laid over them."""

import difflib
import typing
from collections.abc import Sequence
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from savg_ray.errors import UserError

CONFIGS = Path(__file__).parents[1] / "configs"

Model = TypeVar("Model", bound=BaseModel)


def preset_names(folder: Path) -> list[str]:
    """The presets of one folder."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load_preset(model: type[Model], folder: Path, preset: str, overrides: Path | None = None) -> Model:
    """A preset, with the keys of a YAML file laid over it; sections are merged key by key.

    Raises:
        UserError: unknown preset, missing or malformed file, unknown key or a value out of range.
    """
    if preset not in preset_names(folder):
        raise UserError(f"There is no preset {preset!r}; the presets are {', '.join(preset_names(folder))}.")
    path = folder / f"{preset}.yaml"
    values = read_yaml(path)
    if overrides is not None:
        values, path = _merged(values, read_yaml(overrides)), overrides
    return validated(model, values, path)


def validated(model: type[Model], values: dict[str, Any], source: Path | str) -> Model:
    """Keys and values as a model; ``source`` says in errors where they come from.

    Raises:
        UserError: unknown key or a value out of range.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise UserError(_first_complaint(error, model, source)) from error


def _merged(values: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(values)
    for key, value in over.items():
        both = isinstance(merged.get(key), dict) and isinstance(value, dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def read_yaml(path: Path) -> dict[str, Any]:
    """The keys and values of a YAML file; none of an empty one.

    Raises:
        UserError: missing or malformed, or no keys and values.
    """
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


def _first_complaint(error: ValidationError, model: type[BaseModel], source: Path | str) -> str:
    problem = error.errors()[0]
    key = ".".join(str(part) for part in problem["loc"] if part != "[key]")
    if problem["type"] == "extra_forbidden":
        keys = list(_section(model, problem["loc"][:-1]).model_fields)
        close = difflib.get_close_matches(str(problem["loc"][-1]), keys, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"the keys are {', '.join(keys)}."
        return f"{source}: unknown key {key!r}; {hint}"
    where = f"key {key!r}: " if key else ""
    return f"{source}: {where}{problem['msg'].removeprefix('Value error, ')}."


def _section(model: type[BaseModel], path: Sequence[int | str]) -> type[BaseModel]:
    """The model inside a model that a path leads to; names and numbers of entries on the way lead no further."""
    for part in path:
        field = model.model_fields.get(str(part))
        model = next(iter(_models_in(field.annotation) if field else []), model)
    return model


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and not isinstance(annotation, UnionType) and not typing.get_args(annotation):
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [inner for part in typing.get_args(annotation) for inner in _models_in(part)]
