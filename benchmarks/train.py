"""What a step of training costs: arithmetic, seconds, memory, and the share of the matmul peak.

    python -m benchmarks.train joint --data DATASET --batch-size 1 --steps 1
    python -m benchmarks.train joint --data DATASET --device cuda --steps 20

Standard output carries one JSON line. The first step is left out of the rate when there are several. Memory is the
most that the process held. `savg make-scenes` and `savg build-dataset` make a folder of clips where there is none.
"""

import json
import resource
import time
from pathlib import Path
from typing import Annotated, Literal

import torch
import typer
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.sample import matmul_tflop_s
from jobs.command import run_command
from savg_ray.process import keep_freed_memory
from savg_ray.training.config import load_training_config
from savg_ray.training.examples import LocalFeed, Share, StepPlan
from savg_ray.training.learner import Learner
from savg_ray.training.task import Task
from savg_ray.training.tasks import make_task

_MIB = 2**20


def train(
    preset: Annotated[str, typer.Argument(help="One of configs/train.")],
    data: Annotated[Path, typer.Option(help="Folder that build-dataset wrote.", metavar="<path>")],
    steps: Annotated[int, typer.Option(min=1, help="Steps to take.")] = 1,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Instead of the preset's.")] = None,
    micro_batch: Annotated[int | None, typer.Option(min=1, help="Instead of the preset's.")] = None,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Where to train.")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="On a CPU.")] = 1,
    config: Annotated[Path | None, typer.Option(help="YAML file with keys to lay over the preset.")] = None,
) -> None:
    """Measure training."""
    torch.set_num_threads(threads)
    keep_freed_memory()
    settings = load_training_config(preset, config)
    if batch_size is not None:
        settings = settings.model_copy(update={"batch_size": batch_size, "micro_batch": None})
    if micro_batch is not None:
        settings = settings.model_copy(update={"micro_batch": micro_batch})
    task, share, plan = make_task(settings, data), Share(device=device), StepPlan.of(settings, 1)
    network = task.build().to(device)
    learner = Learner(task, network, settings, share, plan.n_parts)
    parts = LocalFeed(task, plan, settings.seed, share)(1, steps)
    seconds, loss = [], float("nan")
    for _ in range(steps):
        started = time.perf_counter()
        loss = learner.take_step(parts)["loss"]
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    memory_mib = _most_memory_mib(device)
    step_s = sum(seconds[1:]) / (steps - 1) if steps > 1 else seconds[0]
    tflop = plan.n_parts * _tflop_of_a_part(task, learner, plan, settings.seed, share)
    precision = settings.precision if device == "cuda" else "float32"
    peak = matmul_tflop_s(device, precision)
    record = {
        "record": "training",
        "preset": preset,
        "device": device,
        "precision": settings.precision,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "batch_size": settings.batch_size,
        "at_a_time": plan.part_size,
        "steps": steps,
        "loss_of_last_step": loss,
        "s_per_step": step_s,
        "steps_per_s": 1 / step_s,
        "memory_mib": memory_mib,
        "tflop_per_step": tflop,
        "tflop_s": tflop / step_s,
        "share_of_matmul_peak": tflop / step_s / peak,
    }
    print(json.dumps(record), flush=True)


def _most_memory_mib(device: str) -> float:
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / _MIB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _tflop_of_a_part(task: Task, learner: Learner, plan: StepPlan, seed: int, share: Share) -> float:
    """Forward and backward of one part, counted as they run (2 a multiply-add)."""
    batch = next(LocalFeed(task, plan, seed, share)(1, 1))
    with FlopCounterMode(display=False) as counter:
        learner.loss(batch)["loss"].backward()
    return counter.get_total_flops() / 1e12


if __name__ == "__main__":
    run_command(train)
