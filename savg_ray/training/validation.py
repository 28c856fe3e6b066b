"""A checkpoint's values on held-out data."""

from pathlib import Path

from savg_ray.training.checkpoints import note_validation
from savg_ray.training.loop import trained_network
from savg_ray.training.task import Task


def validate_checkpoint(task: Task, out: Path, folder: Path, step: int, device: str) -> dict[str, float]:
    """Validate a checkpoint and note what was found in ``out/validation``."""
    kept = out / "validation" / f"step-{step:08d}"
    kept.mkdir(parents=True, exist_ok=True)
    values = task.validate(trained_network(task, folder, device), kept)
    note_validation(out, step, values)
    return values
