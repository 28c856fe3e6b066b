"""How a stream of stages is run: on Ray, or in this process without it; the same numbers either way."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from rich.console import Console
from rich.table import Table

from jobs.progress import StreamProgress
from savg_ray.config import Pool
from savg_ray.errors import UserError
from savg_ray.stages.batch import Batch, batch_length
from savg_ray.stages.sequential import run_sequential
from savg_ray.stages.stage import Stage

if TYPE_CHECKING:
    from jobs.pools import Resources

_FLUSH_EVERY_S = 15.0

Runner = Literal["ray", "sequential"]
Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class StreamRunner:
    """A way to run streams.

    Attributes:
        device: where the networks go, ``"cpu"`` or ``"cuda"``.
        resources: what the cluster has; None runs in this process.
    """

    device: str
    resources: "Resources | None"

    @property
    def name(self) -> Runner:
        """``"ray"``, or ``"sequential"`` without it."""
        return "sequential" if self.resources is None else "ray"

    def pools(self, stages: list[Stage], wanted: Mapping[str, Pool] | None) -> dict[str, Pool]:
        """Workers for each stage; empty without a cluster.

        Raises:
            UserError: the wanted pools do not fit the cluster.
        """
        if self.resources is None:
            return {}
        # Imported here: a run without Ray must not need it.
        from jobs.pools import plan_pools

        return plan_pools([stage.name for stage in stages], self.resources, wanted, self.device == "cuda")

    def stream(
        self,
        stages: list[Stage],
        batches: list[Batch],
        pools: dict[str, Pool],
        what: str,
        take: Callable[[Batch], int],
        flush: Callable[[], None],
    ) -> None:
        """Send batches through the stages, with progress.

        Args:
            stages: not yet loaded.
            batches: what goes in.
            pools: as `pools` gave them.
            what: what is being done, in a word.
            take: is given each batch that comes out, and returns how many of its rows failed.
            flush: keeps what was taken; called now and then, and at the end, whatever happens.
        """
        if not batches:
            return
        flushed = time.monotonic()
        try:
            with StreamProgress(what, sum(batch_length(batch) for batch in batches)) as progress:
                for batch in self._run(stages, batches, pools):
                    progress.advance(batch_length(batch), take(batch))
                    if time.monotonic() - flushed > _FLUSH_EVERY_S:
                        flush()
                        flushed = time.monotonic()
        finally:
            flush()

    def _run(self, stages: list[Stage], batches: list[Batch], pools: dict[str, Pool]) -> Iterator[Batch]:
        if self.resources is None:
            return run_sequential(stages, batches, self.device)
        from jobs.ray_stream import run_on_ray

        return run_on_ray(stages, batches, pools)


def choose_runner(runner: Runner, device: Device) -> StreamRunner:
    """A runner; ``auto`` takes GPUs where there are any.

    Raises:
        UserError: the cluster cannot be reached, or a GPU was asked for and there is none.
    """
    resources = None
    has_gpu = torch.cuda.is_available()
    if runner == "ray":
        from jobs.ray_stream import connect

        resources = connect()
        has_gpu = resources.gpus >= 1
    if device == "cuda" and not has_gpu:
        raise UserError("--device cuda was asked for, but there is no GPU here; use --device cpu, or leave it out.")
    return StreamRunner("cuda" if has_gpu and device != "cpu" else "cpu", resources)


def print_pools(console: Console, what: str, pools: dict[str, Pool]) -> None:
    """The workers of a stream, as a table; nothing without a cluster."""
    if not pools:
        return
    table = Table("stage", "workers", "CPUs each", "GPUs each", title=what)
    for name, pool in pools.items():
        table.add_row(name, str(pool.size), f"{pool.num_cpus:g}", f"{pool.num_gpus:g}")
    console.print(table)


def make_folder(folder: Path, option: str) -> None:
    """A folder for results.

    Raises:
        UserError: it cannot be made; names the option.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The folder {folder} cannot be made ({error.strerror}); name another with {option}."
        ) from error
