"""The runner on Ray: the stages as pools of actors, through which Ray Data streams the batches."""

import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import ray
import ray.data

from jobs.pools import ACTORS, Resources
from jobs.ray_errors import in_a_sentence
from savg_ray.config import Pool
from savg_ray.errors import UserError
from savg_ray.stages.batch import Batch, batch_length
from savg_ray.stages.stage import Stage


def connect() -> Resources:
    """Join the cluster that RAY_ADDRESS names (`ray job submit` sets it), or start Ray on this machine.

    Raises:
        UserError: the cluster cannot be reached.
    """
    if not ray.is_initialized():
        address = os.environ.get("RAY_ADDRESS")
        options: dict[str, Any] = {} if address else {"include_dashboard": False}
        on_sigterm = signal.getsignal(signal.SIGTERM)
        try:
            with _quiet_stderr():
                ray.init(address=address or "local", log_to_driver=False, logging_level="ERROR", **options)
        except (ConnectionError, RuntimeError, ValueError) as error:
            first_line = str(error).strip().splitlines()[0]
            raise UserError(
                f"Ray cannot be reached at {address or 'this machine'} ({first_line}); check RAY_ADDRESS and "
                "RAY_AUTH_MODE, or run with --runner sequential."
            ) from error
        if callable(on_sigterm):
            # Ray puts a handler of its own in the place of the command's, which tells what stays.
            signal.signal(signal.SIGTERM, on_sigterm)
    total = ray.cluster_resources()
    return Resources(cpus=total.get("CPU", 0.0), gpus=total.get("GPU", 0.0))


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    # Ray's C++ core writes a line about its own log level there; what goes wrong is raised as well.
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def be_quiet_and_patient() -> None:
    """Ray Data without bars of its own, and without its end of streams that give nothing for half an hour.

    A clip of the official configuration takes longer on a CPU, and so does a long recording.
    """
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_no_progress_timeout_s = -1
    logging.getLogger("ray.data").setLevel(logging.ERROR)


def run_on_ray(stages: list[Stage], batches: list[Batch], pools: dict[str, Pool]) -> Iterator[Batch]:
    """Each batch through all stages, many at a time.

    A batch stays one block from end to end, so that the networks see the same batches as without Ray. The order of
    what comes out is not that of what went in.

    Args:
        stages: not yet loaded; each actor loads its own.
        batches: what goes in.
        pools: workers for each stage, already checked against the cluster.

    Yields:
        What comes out.

    Raises:
        UserError: a stage cannot be loaded, or Ray cannot go on.
    """
    if not batches:
        return
    be_quiet_and_patient()
    size = max(batch_length(batch) for batch in batches)
    stream = ray.data.from_arrow([pa.table({name: _arrow(column) for name, column in b.items()}) for b in batches])
    for stage in stages:
        pool = pools[stage.name]
        stream = stream.map_batches(
            ACTORS[stage.name],
            fn_constructor_args=(stage,),
            batch_size=size,
            compute=ray.data.ActorPoolStrategy(size=pool.size),
            num_cpus=pool.num_cpus,
            num_gpus=pool.num_gpus,
        )
    with in_a_sentence():
        yield from stream.iter_batches(batch_size=None, batch_format="numpy")


def _arrow(column: Any) -> pa.Array:
    return pa.array(column.tolist(), pa.binary() if isinstance(column[0], bytes) else None)
