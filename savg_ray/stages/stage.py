"""What a model stage is: plain data until loaded, then a function from batches to batches."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch

from savg_ray.errors import ClipError, DeviceLost, UserError
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

    memory_share: float = 1.0
    """The share of a GPU's memory that it may take; a worker with a share of a GPU says so before `load`."""

    @property
    def rows_stand_alone(self) -> bool:
        """Whether a row's result is the same without the rest of its batch."""
        return True

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
        started = time.process_time()
        done, failed = asked_outcomes(batch, self.name, self.run)
        asked = [*done, *failed]
        results, costs = [NO_RESULT] * batch_length(batch), np.zeros(batch_length(batch))
        costs[asked] = (time.process_time() - started) / max(1, len(asked))
        for i, result in done.items():
            results[i] = encode(result)
        out = {key: column for key, column in batch.items() if key not in self.drops}
        out[self.name], out[f"{self.name}_cpu_s"] = object_column(results), costs
        return with_errors(out, failed)


def asked_outcomes(
    batch: Batch, stage: str, run: Callable[[list[Row]], list[Result]], *, split: bool = True
) -> tuple[dict[int, Result], dict[int, ClipError]]:
    """Results and failures, by row, of the rows that name a stage in their ``todo`` and carry no error yet.

    Args:
        batch: columns; ``todo``, ``reason`` and ``error`` among them.
        stage: name of the stage.
        run: one result for each of some rows.
        split: try the halves of a batch that fails (`run_or_split`); otherwise all its rows fail together.
    """
    n = batch_length(batch)
    asked = [i for i in range(n) if stage in batch["todo"][i].split(",") and not batch["reason"][i]]
    rows = [{key: column[i] for key, column in batch.items()} for i in asked]
    outcomes = dict(zip(asked, (run_or_split if split else _run_or_fail)(run, rows, stage), strict=True))
    failed = {i: outcome for i, outcome in outcomes.items() if isinstance(outcome, ClipError)}
    return {i: outcome for i, outcome in outcomes.items() if i not in failed}, failed


def with_errors(batch: Batch, failed: dict[int, ClipError]) -> Batch:
    """The batch, with the reasons and sentences of rows that failed."""
    reasons, errors = list(batch["reason"]), list(batch["error"])
    for i, error in failed.items():
        reasons[i], errors[i] = error.reason, error.message
    return {**batch, "reason": object_column(reasons), "error": object_column(errors)}


def run_or_split(run: Callable[[list[Row]], list[Result]], rows: list[Row], stage: str) -> list[Result | ClipError]:
    """What ``run`` gives for each row, or the error that kept it from it.

    When several rows fail together, the halves are tried again, so that one bad row, or one batch too large for the
    memory, costs no other row.

    Raises:
        UserError: ``run`` raised it.
        DeviceLost: the GPU would fail at all other rows too.
    """
    if not rows:
        return []
    try:
        with torch.inference_mode():
            return list(run(rows))
    except Exception as error:
        _check_device(error, rows[0], stage)
        if len(rows) > 1:
            half = len(rows) // 2
            return run_or_split(run, rows[:half], stage) + run_or_split(run, rows[half:], stage)
        return [_as_clip_error(error, rows[0], stage)]


def _run_or_fail(run: Callable[[list[Row]], list[Result]], rows: list[Row], stage: str) -> list[Result | ClipError]:
    try:
        with torch.inference_mode():
            return list(run(rows)) if rows else []
    except Exception as error:
        _check_device(error, rows[0], stage)
        return [_as_clip_error(error, row, stage) for row in rows]


def _check_device(error: Exception, row: Row, stage: str) -> None:
    """Nothing, if the GPU still answers.

    After some failures (an illegal address, a memory cell that broke) a process's GPU fails at every call, and all
    later clips would fail with it.
    """
    if not torch.cuda.is_initialized():
        return
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        raise DeviceLost(
            f"{row['path']}: the GPU failed in the stage {stage} ({type(error).__name__}: {error}); what is finished "
            "is kept, and the same command goes on from there."
        ) from error


def _as_clip_error(error: Exception, row: Row, stage: str) -> ClipError:
    """Whatever went wrong with a row, as an error of its clip; a `UserError` is passed on: it ends the run."""
    if isinstance(error, UserError):
        raise error
    if isinstance(error, ClipError):
        return error
    reason = "out_of_memory" if isinstance(error, torch.OutOfMemoryError | MemoryError) else "failed"
    return ClipError(reason, f"{row['path']}: {stage} failed ({type(error).__name__}: {error}).")


def drop_at_last_reader(stages: list[Stage]) -> None:
    """Tell each stage which large columns end with it."""
    for position, stage in enumerate(stages):
        later = {column for other in stages[position + 1 :] for column in other.reads}
        stage.drops = tuple(column for column in stage.reads if column not in later)
