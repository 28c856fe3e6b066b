"""What there is to train: one model a file."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from savg_ray.training.config import TaskName, TrainingConfig
from savg_ray.training.task import Task


def make_task(config: TrainingConfig, data: Path) -> Task:
    """The task of a configuration.

    Raises:
        UserError: its settings are wrong, or ``data`` is no folder that it can learn from.
    """
    return _maker(config.trains)(config.task, data)


def _maker(name: TaskName) -> Callable[[dict[str, Any], Path], Task]:
    # Imported when asked for: one task needs no other's packages.
    return import_module(f"savg_ray.training.tasks.{name}").make_task
