"""What a model stage is: plain data until loaded, then a function from batches to batches."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch

from savg_ray.errors import ClipError, UserError
from savg_ray.stages.batch import NO_RESULT, Batch, batch_length, encode, object_column

Row = dict[str, Any]
Result = TypeVar("Result")


class Stage(ABC):
    """One step of the stream.

    A stage is constructed from plain data, travels to where it runs, is loaded there once, and is then called with
    one batch after another. Rows that carry an error pass through untouched.
    """

    name: ClassVar[str]
    reads: ClassVar[tuple[str, ...]]
    """The large columns that it needs."""

    drops: tuple[str, ...] = ()
    """Large columns that nobody needs after this stage; `drop_at_last_reader` fills it in."""

    @abstractmethod
    def load(self, device: str) -> None:
        """Get ready to work on ``device`` (``"cpu"`` or ``"cuda"``)."""

    @abstractmethod
    def __call__(self, batch: Batch) -> Batch:
        """Map a batch; the input arrays stay untouched."""

    def close(self) -> None:  # noqa: B027 (most stages hold nothing that must be closed)
        """Let go of what `load` took."""


class ModelStage(Stage):
    """A stage that gives each asked-for row one array, in a column of the stage's name.

    A row asks by naming the stage in its ``todo`` column. A row that cannot be done gets ``reason`` and ``error``
    (see `run_or_split`). The column ``<name>_cpu_s`` tells what each row cost.
    """

    @abstractmethod
    def run(self, rows: list[Row]) -> list[np.ndarray]:
        """One array for each row.

        Raises:
            ClipError: a row cannot be done.
        """

    def __call__(self, batch: Batch) -> Batch:
        """Run the asked-for rows, and add their results, costs and errors."""
        n = batch_length(batch)
        asked = asked_rows(batch, self.name)
        started = time.process_time()
        rows = [{key: column[i] for key, column in batch.items()} for i in asked]
        outcomes = run_or_split(self.run, rows, self.name)
        cpu_s = (time.process_time() - started) / max(1, len(asked))

        out = {key: column for key, column in batch.items() if key not in self.drops}
        results, costs = [NO_RESULT] * n, np.zeros(n)
        reasons, errors = list(batch["reason"]), list(batch["error"])
        for i, outcome in zip(asked, outcomes, strict=True):
            costs[i] = cpu_s
            if isinstance(outcome, ClipError):
                reasons[i], errors[i] = outcome.reason, outcome.message
            else:
                results[i] = encode(outcome)
        out[self.name], out[f"{self.name}_cpu_s"] = object_column(results), costs
        out["reason"], out["error"] = object_column(reasons), object_column(errors)
        return out


def run_or_split(run: Callable[[list[Row]], list[Result]], rows: list[Row], stage: str) -> list[Result | ClipError]:
    """What ``run`` gives for each row, or the error that kept it from it.

    When several rows fail together, the halves are tried again, so that one bad row, or one batch too large for the
    memory, costs no other row.
    """
    if not rows:
        return []
    try:
        with torch.inference_mode():
            return list(run(rows))
    except Exception as error:
        if len(rows) > 1:
            half = len(rows) // 2
            return run_or_split(run, rows[:half], stage) + run_or_split(run, rows[half:], stage)
        return [as_clip_error(error, rows[0], stage)]


def as_clip_error(error: Exception, row: Row, stage: str) -> ClipError:
    """Whatever went wrong with a row, as an error of its clip; a `UserError` is passed on: it ends the run."""
    if isinstance(error, UserError):
        raise error
    if isinstance(error, ClipError):
        return error
    reason = "out_of_memory" if isinstance(error, torch.OutOfMemoryError | MemoryError) else "failed"
    return ClipError(reason, f"{row['path']}: {stage} failed ({type(error).__name__}: {error}).")


def asked_rows(batch: Batch, stage: str) -> list[int]:
    """Which rows ask for a stage in their ``todo`` column, and carry no error."""
    return [i for i in range(batch_length(batch)) if stage in batch["todo"][i].split(",") and not batch["reason"][i]]


def drop_at_last_reader(stages: list[Stage]) -> None:
    """Tell each stage which large columns end with it."""
    for position, stage in enumerate(stages):
        later = {column for other in stages[position + 1 :] for column in other.reads}
        stage.drops = tuple(column for column in stage.reads if column not in later)
