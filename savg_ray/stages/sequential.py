"""The runner without Ray: the same stages, in a plain loop, with the same numbers."""

from collections.abc import Iterable, Iterator

from savg_ray.process import set_up_process
from savg_ray.stages.batch import Batch
from savg_ray.stages.stage import Stage


def run_sequential(stages: list[Stage], batches: Iterable[Batch], device: str) -> Iterator[Batch]:
    """Each batch through all stages, one after another, in this process.

    Args:
        stages: not yet loaded; they are loaded here and closed at the end.
        batches: what goes in.
        device: ``"cpu"`` or ``"cuda"``.

    Yields:
        What comes out, in order.
    """
    set_up_process()
    try:
        for stage in stages:
            stage.load(device)
        for batch in batches:
            for stage in stages:
                batch = stage(batch)
            yield batch
    finally:
        for stage in stages:
            stage.close()
