"""Which examples make a step, and the batches they become."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from savg_ray.errors import ClipError, UserError
from savg_ray.training.config import TrainingConfig
from savg_ray.training.draws import SampleOrder
from savg_ray.training.task import Batch, Task


@dataclass(frozen=True)
class Share:
    """One worker's part of every step.

    Attributes:
        rank: of the worker, from 0.
        world: how many workers there are.
        device: where it computes, ``cpu`` or ``cuda``.
    """

    rank: int = 0
    world: int = 1
    device: str = "cpu"


@dataclass(frozen=True)
class StepPlan:
    """How the examples of a step are dealt to workers and to parts that are computed one after another.

    Position p of a step belongs to worker p mod world, so that any number of workers sees the same step.

    Attributes:
        batch_size: examples of a step, of all workers.
        world: workers.
        part_size: examples that one worker computes at a time.
    """

    batch_size: int
    world: int
    part_size: int

    @classmethod
    def of(cls, config: TrainingConfig, world: int) -> "StepPlan":
        """The plan of a configuration.

        Raises:
            UserError: the batch cannot be dealt evenly.
        """
        size, rest = divmod(config.batch_size, world)
        if rest:
            raise UserError(
                f"batch_size {config.batch_size} cannot be dealt to {world} workers; use a multiple of {world}."
            )
        part = config.micro_batch or size
        if size % part:
            raise UserError(
                f"micro_batch {part} does not divide the {size} examples of a worker (batch_size "
                f"{config.batch_size}, {world} workers); use a divisor of {size}."
            )
        return cls(config.batch_size, world, part)

    @property
    def n_parts(self) -> int:
        """Parts of a step, of one worker."""
        return self.batch_size // self.world // self.part_size

    def parts(self, first_step: int, last_step: int, rank: int) -> Iterator[range]:
        """The positions of one worker's parts, one after another, from a first step to a last one, both included."""
        for step in range(first_step, last_step + 1):
            for part in range(self.n_parts):
                yield self.positions(step, rank, part)

    def positions(self, step: int, rank: int, part: int) -> range:
        """The positions, counted from the beginning of training, of one part of step 1, 2, ..."""
        first = (step - 1) * self.batch_size + part * self.part_size * self.world + rank
        return range(first, first + self.part_size * self.world, self.world)


def example_at(task: Task, order: SampleOrder, position: int) -> dict[str, np.ndarray]:
    """The example at a position, with its ``draw``.

    Raises:
        ClipError: the item cannot be used.
    """
    draw = order.draw(position)
    return {**task.example(order.item(position), draw), "draw": draw.column()}


def stacked(examples: list[dict[str, np.ndarray]]) -> Batch:
    """Examples as one batch of tensors.

    Raises:
        ClipError: ``other_form`` when they differ in shape.
    """
    batch = {}
    for name in examples[0]:
        shapes = {example[name].shape for example in examples}
        if len(shapes) > 1:
            raise ClipError("other_form", f"examples differ in the shape of {name}: {sorted(shapes)}; use one form")
        batch[name] = torch.from_numpy(np.stack([example[name] for example in examples]))
    return batch


class LocalFeed:
    """Examples made in this process, one part ahead of the computation.

    Args:
        task: makes the examples.
        plan: deals them.
        seed: of the run.
        share: the worker.
    """

    def __init__(self, task: Task, plan: StepPlan, seed: int, share: Share) -> None:
        self._task, self._plan, self._share = task, plan, share
        self._order = SampleOrder(len(task), seed)

    def __call__(self, first_step: int, last_step: int) -> Iterator[Batch]:
        """The parts of steps ``first_step`` to ``last_step``, both included, one after another."""
        with ThreadPoolExecutor(1) as maker:
            coming: Future[Batch] | None = None
            for positions in self._plan.parts(first_step, last_step, self._share.rank):
                ready, coming = coming, maker.submit(self._batch, positions)
                if ready is not None:
                    yield ready.result()
            if coming is not None:
                yield coming.result()

    def _batch(self, positions: range) -> Batch:
        return stacked([example_at(self._task, self._order, position) for position in positions])
