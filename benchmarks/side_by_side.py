"""Our stream and a script written by hand, clip by clip in turns, so that a busy machine slows both alike."""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import numpy as np

from benchmarks.by_hand import ByHand
from benchmarks.scratch import Scratch, filled_weights, preset
from savg_ray.evaluation.chain import clip_stages
from savg_ray.process import set_up_process
from savg_ray.stages.batch import decode
from savg_ray.stages.sequential import run_sequential

T = TypeVar("T")

_RESULTS = ("video_features", "audio_features", "seld", "detections", "temporal")


def side_by_side(scratch: Scratch) -> list[dict[str, Any]]:
    """One record: medians over clips of CPU and wall seconds, their ratios, and how far the results differ."""
    config = preset("savg", 0)
    set_up_process()
    script = ByHand()
    batches = [
        batch
        for batch in scratch.evaluation(config, "side_by_side").clip_batches(1)
        if batch["role"][0] == "generated"
    ]
    stream = run_sequential(clip_stages(config, filled_weights()), iter([batches[0], *batches]), "cpu")
    # Neither pays for its first clip: libraries load, kernels and buffers are made.
    next(stream)
    script.score(Path(batches[0]["path"][0]))
    ours: list[tuple[float, float]] = []
    by_hand: list[tuple[float, float]] = []
    differences = {name: 0.0 for name in _RESULTS}
    for i, batch in enumerate(batches):
        # Who goes second finds the file in memory, so they take turns.
        if i % 2:
            row = _timed(ours, lambda: next(stream))
        found = _timed(by_hand, lambda path=batch["path"][0]: script.score(Path(path)))
        if not i % 2:
            row = _timed(ours, lambda: next(stream))
        # The decoder works in a process of its own, which this one's clock leaves out.
        ours[-1] = (ours[-1][0] + float(row["decode_cpu_s"][0]), ours[-1][1])
        for name in _RESULTS:
            differences[name] = max(differences[name], _difference(decode(row[name][0]), found[name]))
    stream.close()
    cpu_ratio = median(b[0] / o[0] for o, b in zip(ours, by_hand, strict=True))
    wall_ratio = median(b[1] / o[1] for o, b in zip(ours, by_hand, strict=True))
    return [
        {
            "part": "side_by_side",
            "ours_cpu_s": round(median(cpu for cpu, _ in ours), 3),
            "by_hand_cpu_s": round(median(cpu for cpu, _ in by_hand), 3),
            "by_hand_over_ours_cpu": round(cpu_ratio, 3),
            "ours_wall_s": round(median(wall for _, wall in ours), 3),
            "by_hand_wall_s": round(median(wall for _, wall in by_hand), 3),
            "by_hand_over_ours_wall": round(wall_ratio, 3),
            "largest_relative_difference": {name: float(f"{value:.2g}") for name, value in differences.items()},
            "n": len(batches),
        }
    ]


def _timed(seconds: list[tuple[float, float]], run: Callable[[], T]) -> T:
    """What ``run`` gives; its CPU and wall seconds are added to the list."""
    cpu, wall = time.process_time(), time.monotonic()
    result = run()
    seconds.append((time.process_time() - cpu, time.monotonic() - wall))
    return result


def _difference(x: np.ndarray, y: np.ndarray) -> float:
    if x.shape != y.shape:
        return float("inf")
    if x.size == 0 or np.array_equal(x, y, equal_nan=True):
        return 0.0
    return float(np.abs(x - y).max() / np.abs(y).max())
