"""Checkpoints of training: folders that are there as a whole or not at all."""

import json
import os
import pickle
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from savg_ray.errors import UserError

CHECKPOINTS = "checkpoints"
"""Their folder, in that of the training."""

_FILE = "training.pt"
_VALUES = "validation"


def checkpoint_folder(out: Path, step: int) -> Path:
    """Where the checkpoint of a step is, or would be."""
    return out / CHECKPOINTS / f"step-{step:08d}"


def save_checkpoint(out: Path, step: int, state: Mapping[str, Any]) -> Path:
    """Write a checkpoint of tensors and plain data; it appears under its name when it is complete."""
    folder = checkpoint_folder(out, step)
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    torch.save(dict(state), part / _FILE)
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(part, folder)
    return folder


def load_checkpoint(folder: Path) -> dict[str, Any]:
    """A checkpoint's content, on the CPU; code in it is not run.

    Raises:
        UserError: it cannot be read.
    """
    path = folder / _FILE
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path} cannot be read ({reason}); remove {folder}, and run this again.") from error


def checkpoint_steps(out: Path) -> list[int]:
    """Steps of the checkpoints in a folder of training, rising."""
    return sorted(int(path.name.removeprefix("step-")) for path in (out / CHECKPOINTS).glob("step-*"))


def note_validation(out: Path, step: int, values: Mapping[str, float]) -> None:
    """Keep what a validation of a step's checkpoint found."""
    folder = out / _VALUES
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{step}.part"
    part.write_text(json.dumps(values))
    os.replace(part, folder / f"{step}.json")


def noted_validations(out: Path) -> dict[int, dict[str, float]]:
    """What validations found, by step, rising."""
    paths = sorted((out / _VALUES).glob("*.json"), key=lambda path: int(path.stem))
    return {int(path.stem): json.loads(path.read_text()) for path in paths}


def best_step(out: Path, best: tuple[str, bool]) -> int | None:
    """The validated step with the best value; of equals the first.

    Args:
        out: folder of the training.
        best: name of the value, and whether higher is better.
    """
    name, higher = best
    values = {step: found[name] for step, found in noted_validations(out).items() if name in found}
    if not values:
        return None
    return max(values, key=lambda step: values[step] if higher else -values[step])


def prune_checkpoints(out: Path, keep_last: int, best: tuple[str, bool], awaited: set[int]) -> None:
    """Remove all checkpoints but the last ones, the best one, and those whose validation is still awaited."""
    steps = checkpoint_steps(out)
    kept = {*steps[-keep_last:], best_step(out, best)} | awaited
    for step in steps:
        if step not in kept:
            shutil.rmtree(checkpoint_folder(out, step), ignore_errors=True)


def first_difference(own: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> str | None:
    """The first key in which two state dicts differ by name or shape, in words; None when there is none."""
    for key, tensor in own.items():
        if key not in other:
            return f"it lacks {key}"
        if other[key].shape != tensor.shape:
            return f"{key} has shape {tuple(other[key].shape)}, not {tuple(tensor.shape)}"
    extra = next((key for key in other if key not in own), None)
    return None if extra is None else f"it has {extra}, which the network has not"
