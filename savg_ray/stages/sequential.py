"""The runner without Ray: the same stages, in a plain loop, with the same numbers."""

from collections.abc import Iterable, Iterator

import cv2
import torch

from savg_ray.stages.batch import Batch
from savg_ray.stages.stage import Stage


def use_one_thread() -> None:
    """Keep this process to one CPU thread, as every worker does.

    Workers share the cores by their number. And sums that are split among threads differ in their last bits, so one
    thread everywhere is what makes the runners agree exactly.
    """
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def run_sequential(stages: list[Stage], batches: Iterable[Batch], device: str) -> Iterator[Batch]:
    """Each batch through all stages, one after another, in this process.

    Args:
        stages: not yet loaded; they are loaded here and closed at the end.
        batches: what goes in.
        device: ``"cpu"`` or ``"cuda"``.

    Yields:
        What comes out, in order.
    """
    use_one_thread()
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
