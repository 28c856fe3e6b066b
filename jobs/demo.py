"""The demonstration: a few clips made on the spot, scored from end to end without any download."""

import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from jobs.command import run_command
from jobs.evaluate import Request, print_results, run_evaluation
from jobs.runner import choose_runner
from savg_ray.config import load_config
from savg_ray.evaluation.chain import NETWORKS
from savg_ray.media.writer import write_clip
from savg_ray.scenes.walker import walker_clip
from savg_ray.weights.choose import WeightsChoice
from savg_ray.weights.store import WeightStore

_N_GENERATED, _N_REFERENCE = 4, 4


def demo(out: Annotated[Path, typer.Option(help="Folder for the clips and the results.")] = Path("demo")) -> None:
    """Make a handful of clips, score them, and show the numbers (filled weights: they carry no meaning)."""
    console = Console(stderr=True)
    # Features of an earlier demonstration would leave nothing to show.
    shutil.rmtree(out / "cache", ignore_errors=True)
    for name, first_seed, count in (("generated", 0, _N_GENERATED), ("reference", 1000, _N_REFERENCE)):
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        for i in range(count):
            clip = walker_clip(f"{name}_{i}", first_seed + i)
            write_clip(folder / f"{clip.id}.mp4", clip)
    console.print(f"made {_N_GENERATED} generated and {_N_REFERENCE} reference clips in {out}")
    choice = WeightsChoice("filled", WeightStore())
    request = Request(
        generated=out / "generated",
        reference=out / "reference",
        out=out / "results",
        config=load_config("savg"),
        weights={name: choice.resolve(name) for name in NETWORKS},
        cache=out / "cache",
    )
    content = run_evaluation(request, choose_runner("ray", "auto"), console)
    print_results(Console(), content, request.out)


if __name__ == "__main__":
    run_command(demo)
