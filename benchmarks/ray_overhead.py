"""What the stream on Ray costs beyond the work itself: start-up once, then the share of the cores that is not work.

Three spans are told apart: Ray starts; workers start, up to the first clip that comes out; and the steady stream,
between the tenth part of the clips and the ninth. In the steady stream as much work is begun as finished, so that
the cores owe exactly the CPU seconds of the clips that come out.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.scratch import Scratch, filled_weights, preset
from jobs.pools import plan_pools
from jobs.ray_stream import connect, run_on_ray
from savg_ray.errors import UserError
from savg_ray.evaluation.chain import clip_stages
from savg_ray.stages.batch import Batch


def ray_overhead(scratch: Scratch, n_clips: int) -> list[dict[str, Any]]:
    """One record: wall seconds of the three spans, and where the cores' seconds of the steady stream went.

    Raises:
        UserError: too few clips for a steady stream, or another system than Linux.
    """
    if n_clips < 10:
        raise UserError(
            f"The overhead of {n_clips} clips says nothing; use --ray-clips 10 or more, 64 for the target."
        )
    if not Path("/proc/stat").exists():
        raise UserError("The idle time of the cores is read from /proc/stat, which is not here; measure on Linux.")
    config = preset("savg", 0)
    batches = [
        batch
        for batch in scratch.evaluation(config, "ray_overhead").clip_batches(1)
        if batch["role"][0] == "generated"
    ][:n_clips]
    started = time.monotonic()
    resources = connect()
    ray_s = time.monotonic() - started
    stages = clip_stages(config, filled_weights())
    pools = plan_pools([stage.name for stage in stages], resources, None, use_gpu=False)
    try:
        outputs = list(_watched(run_on_ray(stages, batches, pools)))
    finally:
        # Not above: `jobs` must be imported before Ray is.
        import ray

        ray.shutdown()
    wall_s = time.monotonic() - started
    first, last = n_clips // 10, n_clips - 1 - n_clips // 10
    begin, end = outputs[first], outputs[last]
    cores = int(resources.cpus)
    steady_s = end.at_s - begin.at_s
    work_s = sum(output.cpu_s for output in outputs[first + 1 : last + 1])
    idle_s = end.idle_s - begin.idle_s
    total_work_s = sum(output.cpu_s for output in outputs)
    return [
        {
            "part": "ray_overhead",
            "n": n_clips,
            "cores": cores,
            "workers": {name: pool.size for name, pool in pools.items()},
            "ray_start_s": round(ray_s, 2),
            "first_clip_after_s": round(outputs[0].at_s - started - ray_s, 2),
            "wall_s": round(wall_s, 2),
            "ideal_s": round(total_work_s / cores, 2),
            "steady_wall_s": round(steady_s, 2),
            "steady_ideal_s": round(work_s / cores, 2),
            "steady_overhead": round(1 - work_s / cores / steady_s, 4),
            "steady_idle_share": round(idle_s / cores / steady_s, 4),
            "steady_other_cores": round(cores - (work_s + idle_s) / steady_s, 3),
            "cpu_s_per_clip": round(total_work_s / n_clips, 3),
        }
    ]


class _Output:
    """One clip that came out: when, what it cost, and how long the machine's cores have idled since they booted."""

    def __init__(self, batch: Batch) -> None:
        if batch["reason"][0]:
            raise RuntimeError(batch["error"][0])
        self.at_s = time.monotonic()
        self.cpu_s = sum(float(column[0]) for name, column in batch.items() if name.endswith("_cpu_s"))
        self.idle_s = _idle_s()


def _watched(stream: Iterator[Batch]) -> Iterator[_Output]:
    return (_Output(batch) for batch in stream)


def _idle_s() -> float:
    """Seconds in which the kernel had nothing to run, summed over the cores (Linux)."""
    idle, waiting = Path("/proc/stat").read_text().split("\n", 1)[0].split()[4:6]
    return (int(idle) + int(waiting)) / os.sysconf("SC_CLK_TCK")
