"""What every actor does: pin a stage to its device, load it, map batches, and report its health.

A worker that dies is started again, and gets its batch again; one that has lost its GPU dies for that. What kills it
every time ends: a stage that cannot be loaded ends the run, a clip that cannot be computed fails alone.
"""

import logging
import os
import time
from typing import ClassVar

import ray
from ray.util.metrics import Counter, Histogram

from actors.attempts import attempt, deaths_at
from savg_ray.errors import ClipError, DeviceLost, UserError
from savg_ray.process import set_up_process
from savg_ray.stages.batch import Batch, batch_length, joined, row_batches
from savg_ray.stages.stage import Stage, with_errors

_logger = logging.getLogger(__name__)

_MOST_DEATHS_LOADING = 3
_MOST_DEATHS_AT_A_CLIP = 2


class StageActor:
    """A worker around one loaded stage; subclasses say what it takes.

    Attributes:
        gpu_share: share of a GPU that one worker takes on a GPU node; 0 for work that only CPUs do.
        cpu_share: share of the whole stream's CPU work that falls on this stage when no GPU helps; it decides how
            many workers the stage gets (measured: ``benchmarks/evaluate.py``).
    """

    gpu_share: ClassVar[float]
    cpu_share: ClassVar[float]

    def __init__(self, stage: Stage) -> None:
        # Ray keeps what workers write to standard error, which nothing below a warning reaches by itself.
        logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
        logging.getLogger("savg_ray").setLevel(logging.INFO)
        set_up_process()
        self._stage = stage
        self._stage.memory_share = gpu_share_of_worker()
        self._load()
        tags = {"stage": stage.name}
        self._clips = Counter("savg_clips", "Clips seen by a stage.", tag_keys=("stage",))
        self._errors = Counter("savg_clip_errors", "Clips that failed in a stage.", tag_keys=("stage", "reason"))
        self._seconds = Histogram(
            "savg_batch_seconds", "Wall seconds of a batch.", boundaries=[0.1, 0.5, 1, 5, 20], tag_keys=("stage",)
        )
        for metric in (self._clips, self._errors, self._seconds):
            metric.set_default_tags(tags)

    def __call__(self, batch: Batch) -> Batch:
        """Map one batch."""
        started = time.monotonic()
        before = list(batch.get("reason", [""] * batch_length(batch)))
        out = self._survivable(batch)
        self._seconds.observe(time.monotonic() - started)
        self._clips.inc(batch_length(batch))
        for reason, earlier in zip(out["reason"], before, strict=True):
            if reason and not earlier:
                self._errors.inc(1, {"reason": reason})
        return out

    def _load(self) -> None:
        what = ("load", ray.get_runtime_context().get_actor_id())
        deaths = deaths_at(*what)
        if deaths >= _MOST_DEATHS_LOADING:
            name = self._stage.name
            raise UserError(
                f"A worker of the stage {name} died {deaths} times while it was loaded, mostly for lack of memory; "
                f"give it fewer workers (pools: {name}: size), or run with --runner sequential to see why it dies."
            )
        with attempt(*what):
            self._stage.load("cuda" if ray.get_gpu_ids() else "cpu")

    def _survivable(self, batch: Batch) -> Batch:
        """The stage's answer; rows go one by one when a worker died at their batch, and fail when they kill again."""
        what = (self._stage.name, *batch["path"])
        deaths = deaths_at(*what)
        if deaths and batch_length(batch) > 1 and self._stage.rows_stand_alone:
            return joined([self._survivable(row) for row in row_batches(batch)])
        if deaths >= _MOST_DEATHS_AT_A_CLIP:
            well = [i for i, reason in enumerate(batch["reason"]) if not reason]
            return self._stage(with_errors(batch, {i: self._killer(batch["path"][i], deaths) for i in well}))
        with attempt(*what):
            try:
                return self._stage(batch)
            except DeviceLost as error:
                # Ray starts another process, and that one may get the GPU to work again.
                _logger.error("%s", error)
                os._exit(1)

    def _killer(self, path: str, deaths: int) -> ClipError:
        return ClipError(
            "killed_worker",
            f"{path}: {deaths} workers of the stage {self._stage.name} died at it, mostly for lack of memory; give "
            "the stage fewer workers, or leave the clip out.",
        )


def gpu_share_of_worker() -> float:
    """The share of its GPU that Ray gave to this worker; 1 for whole ones, and without a GPU."""
    n_gpus = ray.get_runtime_context().get_assigned_resources().get("GPU", 1.0)
    return min(1.0, n_gpus)
