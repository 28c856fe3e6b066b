"""A training run as one worker sees it: from the last checkpoint to the last step."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from savg_ray.errors import ClipError, UserError
from savg_ray.process import keep_freed_memory
from savg_ray.training.average import measure_statistics
from savg_ray.training.checkpoints import (
    checkpoint_folder,
    checkpoint_steps,
    first_difference,
    load_checkpoint,
    noted_validations,
    prune_checkpoints,
    save_checkpoint,
)
from savg_ray.training.config import TrainingConfig
from savg_ray.training.curve import Curve
from savg_ray.training.draws import SampleOrder
from savg_ray.training.examples import LocalFeed, Share, StepPlan
from savg_ray.training.learner import Learner, NotFiniteError
from savg_ray.training.task import Batch, Task
from savg_ray.weights.load import load_state_dict

Feed = Callable[[int, int], Iterator[Batch]]
"""The parts of a worker's steps, from a first step to a last one, both included."""

_LISTED_ITEMS = 4
# As PyTorch's allocators for GPUs and for the CPU say it.
_OUT_OF_MEMORY = re.compile(r"out of memory|allocate memory|not enough memory", re.IGNORECASE)


class Watcher(Protocol):
    """Is told how a run goes, on every worker alike."""

    def stepped(self, step: int, values: dict[str, float]) -> None:
        """A step is done."""
        ...

    def saved(self, step: int, folder: Path, validate: bool) -> None:
        """A checkpoint is complete; ``validate`` if it is due to be validated."""
        ...


def train(
    task: Task,
    config: TrainingConfig,
    out: Path,
    share: Share,
    feed: Feed,
    watcher: Watcher,
    start_from: Path | None = None,
) -> None:
    """Train to the last step, going on from the newest checkpoint of ``out`` if there is one.

    Args:
        task: what to learn.
        config: how.
        out: takes checkpoints and the curve; every worker sees the same folder.
        share: this worker's part.
        feed: gives its batches.
        watcher: is told of steps and checkpoints.
        start_from: weights to begin with, of an export; a checkpoint in ``out`` goes first.

    Raises:
        UserError: the configuration, the data or the weights cannot be used, memory ran out, or the loss is no
            finite number; earlier checkpoints stay.
    """
    keep_freed_memory()
    plan = StepPlan.of(config, share.world)
    torch.manual_seed(config.seed)
    network = task.build()
    if start_from is not None:
        _start_from(network, start_from, task.name)
    learner = Learner(task, network.to(share.device), config, share, plan.n_parts)
    steps = checkpoint_steps(out)
    if steps:
        _resume(learner, config, checkpoint_folder(out, steps[-1]))
    curve = Curve(out, learner.step) if share.rank == 0 else None
    shown = set(noted_validations(out))
    parts = feed(learner.step + 1, config.steps)
    while learner.step < config.steps:
        values = _step(learner, parts, task, config, plan)
        step = learner.step
        if curve is not None:
            curve.add(step, values)
        watcher.stepped(step, values)
        validate = validation_is_due(config, step)
        if step % config.checkpoint_every and step != config.steps and not validate:
            continue
        if curve is not None:
            _save(learner, task, config, plan, out)
            curve.write()
        watcher.saved(step, checkpoint_folder(out, step), validate)
        if curve is not None:
            _show_validations(curve, out, shown)
            prune_checkpoints(out, config.keep_last, task.best, awaited_validations(config, out))
    if curve is not None:
        curve.write()


def validation_is_due(config: TrainingConfig, step: int) -> bool:
    """Whether the checkpoint of a step is to be validated: every ``validate_every`` steps, and the last one."""
    return config.validate_every is not None and (step % config.validate_every == 0 or step == config.steps)


def awaited_validations(config: TrainingConfig, out: Path) -> set[int]:
    """Steps whose checkpoints are there and still to be validated."""
    return {step for step in checkpoint_steps(out) if validation_is_due(config, step)} - set(noted_validations(out))


def _show_validations(curve: Curve, out: Path, shown: set[int]) -> None:
    for step, values in noted_validations(out).items():
        if step not in shown:
            curve.add_validation(step, values)
            shown.add(step)


def trained_network(task: Task, folder: Path, device: str) -> nn.Module:
    """The network that a checkpoint would export, in evaluation mode."""
    network = task.build()
    network.load_state_dict(load_checkpoint(folder)["model"])
    return network.eval().requires_grad_(False).to(device)


def _step(
    learner: Learner, parts: Iterator[Batch], task: Task, config: TrainingConfig, plan: StepPlan
) -> dict[str, float]:
    try:
        return learner.take_step(parts)
    except NotFiniteError as error:
        order = SampleOrder(len(task), config.seed)
        positions = plan.positions(error.step, error.rank, error.part)
        names = [task.item_name(order.item(position)) for position in positions]
        more = f" and {len(names) - _LISTED_ITEMS} more" if len(names) > _LISTED_ITEMS else ""
        raise UserError(
            f"The loss of step {error.step} is not a finite number, in the batch of "
            f"{', '.join(names[:_LISTED_ITEMS])}{more}; the last checkpoint is kept: look at these items, or lower "
            "optimiser.learning_rate."
        ) from error
    except ClipError as error:
        raise UserError(str(error)) from error
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not _OUT_OF_MEMORY.search(str(error)):
            raise
        raise UserError(
            f"Memory ran out with {plan.part_size} examples at a time; set micro_batch to a smaller divisor of "
            f"{plan.batch_size // plan.world}, or task.recompute: true where the task has it."
        ) from error


def _save(learner: Learner, task: Task, config: TrainingConfig, plan: StepPlan, out: Path) -> None:
    model = learner.average.network
    if learner.average.needs_statistics:
        # A plain feed: other workers have nothing to do with it.
        feed = LocalFeed(task, StepPlan(plan.part_size, 1, plan.part_size), config.seed, Share(device="cpu"))
        device = next(model.parameters()).device
        measure_statistics(
            model,
            feed(1, config.average.bn_batches),
            lambda batch: task.loss(model, {name: column.to(device) for name, column in batch.items()}),
        )
    content: dict[str, Any] = {"config": config.model_dump(mode="json"), "model": model.state_dict()}
    save_checkpoint(out, learner.step, {**learner.state(), **content})


def _resume(learner: Learner, config: TrainingConfig, folder: Path) -> None:
    state = load_checkpoint(folder)
    changed = _first_change(state["config"], config.model_dump(mode="json"))
    if changed:
        key, before, now = changed
        raise UserError(
            f"{folder} was trained with {key} {before}, not {now}; give the same configuration, or name another "
            "folder with --out."
        )
    learner.load(state)


# What may change between a run and its continuation.
_FREE = {"preset", "steps", "checkpoint_every", "keep_last", "validate_every", "micro_batch"}


def _first_change(before: dict[str, Any], now: dict[str, Any], above: str = "") -> tuple[str, Any, Any] | None:
    for key in {**before, **now}:
        old, new = before.get(key), now.get(key)
        if old == new or (not above and key in _FREE):
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            return _first_change(old, new, f"{above}{key}.")
        return f"{above}{key}", old, new
    return None


def _start_from(network: nn.Module, path: Path, name: str) -> None:
    state = load_state_dict(path, name)
    difference = first_difference(network.state_dict(), state)
    if difference:
        raise UserError(f"{path} is of another architecture: {difference}; name weights of this configuration.")
    network.load_state_dict(state)
