"""A worker of distributed training: Ray Train calls it on every rank, Ray Data makes its examples."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import ray
import ray.actor
import ray.data
import ray.train
import ray.train.torch
import torch

from savg_ray.process import keep_freed_memory
from savg_ray.training.config import TrainingConfig
from savg_ray.training.draws import SampleOrder
from savg_ray.training.examples import Share, StepPlan, example_at
from savg_ray.training.loop import train
from savg_ray.training.task import Batch, Task
from savg_ray.training.tasks import make_task
from savg_ray.training.validation import validate_checkpoint

_EXAMPLES_PER_STREAM = 4096
_EXAMPLES_PER_BLOCK = 16
_CPUS_PER_EXAMPLE = 0.25
_BATCHES_AHEAD = 2


@dataclass(frozen=True)
class Work:
    """What a worker is to train, as plain data.

    Attributes:
        config: how.
        data: folder of a built data set.
        out: takes checkpoints and curves; every node sees it.
        start_from: weights to begin with.
        threads: of a worker on a CPU.
        steps_done: is told of every step.
    """

    config: TrainingConfig
    data: Path
    out: Path
    start_from: Path | None
    threads: int
    steps_done: ray.actor.ActorHandle


@ray.remote(num_cpus=0)
class StepsDone:
    """Knows how far training is, for whoever shows it; Ray Train's reports make all workers wait."""

    def __init__(self, step: int) -> None:
        self._step = step

    def note(self, step: int) -> None:
        """A step is done."""
        self._step = step

    def get(self) -> int:
        """The newest step."""
        return self._step


def train_worker(work: Work) -> None:
    """Train this worker's share."""
    context = ray.train.get_context()
    device = ray.train.torch.get_device()
    if device.type == "cpu":
        torch.set_num_threads(work.threads)
    share = Share(context.get_world_rank(), context.get_world_size(), str(device))
    task = make_task(work.config, work.data)
    plan = StepPlan.of(work.config, share.world)
    feed = RayFeed(task, plan, work.config.seed, share)
    train(task, work.config, work.out, share, feed, _Reporter(share.rank, work.steps_done), work.start_from)


def validate_worker(checkpoint: ray.train.Checkpoint, work: Work) -> dict[str, float]:
    """Validate a checkpoint beside training."""
    keep_freed_memory()
    folder = Path(checkpoint.path)
    device = "cuda" if ray.get_gpu_ids() else "cpu"
    if device == "cpu":
        torch.set_num_threads(work.threads)
    step = int(folder.name.removeprefix("step-"))
    return validate_checkpoint(make_task(work.config, work.data), work.out, folder, step, device)


class RayFeed:
    """Examples made by Ray Data's tasks, in the order of their positions; see `LocalFeed`."""

    def __init__(self, task: Task, plan: StepPlan, seed: int, share: Share) -> None:
        self._task, self._plan, self._share = task, plan, share
        self._order = SampleOrder(len(task), seed)

    def __call__(self, first_step: int, last_step: int) -> Iterator[Batch]:
        """The parts of steps ``first_step`` to ``last_step``, both included, one after another."""
        # Streams of some length: Ray Data plans all of a stream's blocks before its first.
        steps = max(1, _EXAMPLES_PER_STREAM // (self._plan.n_parts * self._plan.part_size))
        for first in range(first_step, last_step + 1, steps):
            yield from self._stream(first, min(first + steps - 1, last_step))

    def _stream(self, first_step: int, last_step: int) -> Iterator[Batch]:
        plan = self._plan
        positions = [*chain.from_iterable(plan.parts(first_step, last_step, self._share.rank))]
        n_blocks = -(-len(positions) // max(plan.part_size, _EXAMPLES_PER_BLOCK))
        rows = ray.data.from_items([{"position": position} for position in positions], override_num_blocks=n_blocks)
        rows.context.execution_options.preserve_order = True
        examples = rows.map(partial(_example, self._task, self._order), num_cpus=_CPUS_PER_EXAMPLE)
        for batch in examples.iter_batches(
            batch_size=plan.part_size, batch_format="numpy", prefetch_batches=_BATCHES_AHEAD
        ):
            # Ray's arrays may not be written to, which PyTorch asks of its own.
            yield {name: torch.from_numpy(column.copy()) for name, column in batch.items()}


def _example(task: Task, order: SampleOrder, row: dict[str, Any]) -> dict[str, Any]:
    return example_at(task, order, int(row["position"]))


class _Reporter:
    def __init__(self, rank: int, steps_done: ray.actor.ActorHandle) -> None:
        self._rank, self._steps_done = rank, steps_done

    def stepped(self, step: int, values: dict[str, float]) -> None:
        if self._rank == 0:
            self._steps_done.note.remote(step)

    def saved(self, step: int, folder: Path, validate: bool) -> None:
        # The checkpoint lies where all workers see it: nothing is left for Ray to copy.
        ray.train.report(
            {"step": step},
            checkpoint=ray.train.Checkpoint(str(folder)) if self._rank == 0 else None,
            checkpoint_upload_mode=ray.train.CheckpointUploadMode.NO_UPLOAD,
            validation=validate and self._rank == 0,
        )
