"""Streams of recordings: few, long, and each its worker's own."""

from collections.abc import Iterator
from typing import Any

from savg_ray.errors import UserError
from savg_ray.stages.batch import Batch


def stream_on_ray(
    actor: type, arguments: tuple[Any, ...], column: str, values: list[Any], n_workers: int | None
) -> Iterator[Batch]:
    """Each value through one of several actors, whichever is free, as a batch of one row.

    Args:
        actor: maps batches; takes one CPU.
        arguments: what it is constructed with.
        column: the column that the values are put into.
        values: what there is to do.
        n_workers: how many actors; None for one a CPU.

    Raises:
        UserError: the cluster has not so many CPUs, or Ray cannot go on.
    """
    # Imported here: a run without Ray must not need it.
    import pyarrow as pa
    import ray.data

    from jobs.ray_errors import in_a_sentence
    from jobs.ray_stream import be_quiet_and_patient, connect

    n_cpus = int(connect().cpus)
    n_workers = min(n_workers or max(1, n_cpus), len(values))
    if n_workers > n_cpus:
        raise UserError(
            f"{n_workers} workers take a CPU each, but the cluster has {n_cpus}; lower workers, or run with --runner "
            "sequential."
        )
    be_quiet_and_patient()
    # A block each: recordings take minutes, and a worker gets the next one as soon as it is free.
    rows = ray.data.from_arrow([pa.table({column: [value]}) for value in values])
    done = rows.map_batches(
        actor,
        fn_constructor_args=arguments,
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=n_workers),
        num_cpus=1,
    )
    with in_a_sentence():
        yield from done.iter_batches(batch_size=None, batch_format="numpy")
