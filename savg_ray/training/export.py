"""Trained weights as the commands that use them load them."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from savg_ray.files import written_at_once
from savg_ray.training.checkpoints import best_step, checkpoint_folder, checkpoint_steps, load_checkpoint
from savg_ray.training.task import Task


def export_weights(task: Task, out: Path) -> list[Path]:
    """The last checkpoint's network to ``out/weights``, and the best validated one's to ``out/weights/best``."""
    paths = [_export(task, out, checkpoint_steps(out)[-1], out / "weights")]
    best = best_step(out, task.best)
    if best is not None:
        paths.append(_export(task, out, best, out / "weights" / "best"))
    return paths


def _export(task: Task, out: Path, step: int, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    state = task.export(load_checkpoint(checkpoint_folder(out, step))["model"])
    path = folder / task.export_name
    with written_at_once(path) as part:
        if path.suffix == ".safetensors":
            save_file({key: tensor.contiguous() for key, tensor in state.items()}, part)
        else:
            torch.save(state, part)
    return path
