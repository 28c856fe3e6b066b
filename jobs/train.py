"""The training job: a folder of clips with labels in, checkpoints and weights out."""

from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table

from jobs.command import resumable, run_command
from jobs.folder_lock import alone_in
from jobs.progress import StreamProgress
from jobs.runner import Device, make_folder
from savg_ray.errors import ClipError, UserError
from savg_ray.training.checkpoints import checkpoint_folder, checkpoint_steps, noted_validations
from savg_ray.training.config import TaskName, TrainingConfig, load_training_config
from savg_ray.training.draws import SampleOrder
from savg_ray.training.examples import LocalFeed, Share, StepPlan, example_at
from savg_ray.training.export import export_weights
from savg_ray.training.loop import awaited_validations
from savg_ray.training.loop import train as train_share
from savg_ray.training.task import Task
from savg_ray.training.tasks import make_task
from savg_ray.training.validation import validate_checkpoint


def run_training(
    config: TrainingConfig, data: Path, out: Path, workers: int, device: Device, start_from: Path | None
) -> list[Path]:
    """Train to the last step and export the weights; without Ray if there are no workers.

    Returns:
        The exported files.

    Raises:
        UserError: the configuration, the data or the device cannot be used, training cannot go on, or another run
            trains into the folder.
    """
    task = make_task(config, data)
    StepPlan.of(config, max(workers, 1))
    _try_an_example(task, config)
    make_folder(out, "--out")
    with alone_in(out):
        if workers:
            # Imported here: training without workers needs no Ray.
            from jobs.train_on_ray import train_on_ray

            train_on_ray(config, data, out, workers, device, start_from)
        else:
            _train_here(task, config, out, device, start_from)
        for step in sorted(awaited_validations(config, out)):
            # A run that was interrupted here left these behind.
            validate_checkpoint(task, out, checkpoint_folder(out, step), step, _local_device(device))
        return export_weights(task, out)


def _try_an_example(task: Task, config: TrainingConfig) -> None:
    try:
        example_at(task, SampleOrder(len(task), config.seed), 0)
    except ClipError as error:
        raise UserError(str(error)) from error


def _train_here(task: Task, config: TrainingConfig, out: Path, device: Device, start_from: Path | None) -> None:
    share = Share(device=_local_device(device))
    if device == "cuda" and share.device != "cuda":
        raise UserError("--device cuda was asked for, but there is no GPU here; use --device cpu, or leave it out.")
    feed = LocalFeed(task, StepPlan.of(config, 1), config.seed, share)
    with StreamProgress(f"training {task.name}", config.steps, "steps") as progress:
        watcher = _LocalWatcher(task, out, share.device, progress, (checkpoint_steps(out) or [0])[-1])
        train_share(task, config, out, share, feed, watcher, start_from)


def _local_device(device: Device) -> str:
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"


class _LocalWatcher:
    """Shows progress, and validates in this process."""

    def __init__(self, task: Task, out: Path, device: str, progress: StreamProgress, done: int) -> None:
        self._task, self._out, self._device, self._progress = task, out, device, progress
        progress.advance(done, 0)

    def stepped(self, step: int, values: dict[str, float]) -> None:
        self._progress.advance(1, 0)

    def saved(self, step: int, folder: Path, validate: bool) -> None:
        if validate:
            validate_checkpoint(self._task, self._out, folder, step, self._device)


def print_validation(console: Console, out: Path) -> None:
    """The newest validation, as a table; nothing if there is none."""
    found = noted_validations(out)
    if not found:
        return
    step = max(found)
    table = Table("held-out value", "", title=f"step {step}")
    for name, value in found[step].items():
        table.add_row(name, f"{value:.4g}")
    console.print(table)


def train(
    model: Annotated[TaskName, typer.Argument(help="What to train.")],
    data: Annotated[Path, typer.Option(help="Folder that build-dataset wrote.", metavar="<path>")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, curves and weights.", metavar="<path>")],
    preset: Annotated[str | None, typer.Option(help="One of configs/train; the model's own if left out.")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file whose keys replace the preset's.")] = None,
    workers: Annotated[
        int, typer.Option(min=0, help="Workers of Ray Train, a GPU each where there are; 0: no Ray.")
    ] = 0,
    device: Annotated[Device, typer.Option(help="auto takes GPUs where there are any.")] = "auto",
    start_from: Annotated[Path | None, typer.Option(help="Weights to begin with.", metavar="<path>")] = None,
) -> None:
    """Train a model; the same command goes on where it was stopped."""
    loaded = load_training_config(preset or model, config)
    if loaded.trains != model:
        raise UserError(
            f"The preset {loaded.preset} trains {loaded.trains}, not {model}; name another with --preset."
        )
    with resumable("checkpoints stay"):
        paths = run_training(loaded, data, out, workers, device, start_from)
    console = Console()
    print_validation(console, out)
    for path in paths:
        console.print(f"weights: {path}", soft_wrap=True)


if __name__ == "__main__":
    run_command(train)
