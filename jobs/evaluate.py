"""The evaluation job: two folders of clips in, metrics.json and what is behind it out."""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import typer
from rich.console import Console
from rich.table import Table

from jobs.command import run_command
from jobs.progress import ClipProgress
from savg_ray.config import EvaluationConfig, Pool, load_config
from savg_ray.errors import UserError
from savg_ray.evaluation.chain import NETWORKS, clip_stages, window_stages
from savg_ray.evaluation.evaluation import Evaluation
from savg_ray.evaluation.feature_store import FeatureStore
from savg_ray.evaluation.plan import plan_official, plan_whole
from savg_ray.evaluation.report import write_report
from savg_ray.evaluation.scores import score
from savg_ray.stages.batch import Batch, batch_length
from savg_ray.stages.sequential import run_sequential
from savg_ray.stages.stage import Stage
from savg_ray.weights.choose import ResolvedWeights, WeightsChoice, WeightsMode
from savg_ray.weights.store import WeightStore, default_root

_FLUSH_EVERY_S = 15.0
_CLIPS_PER_GPU_BATCH = 8
_LISTED_FAILURES = 50

DEFAULT_CACHE = Path.home() / ".cache" / "savg_ray" / "features"


Runner = Literal["ray", "sequential"]
Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class Request:
    """An evaluation as a user asks for it; see `evaluate` for what each field means."""

    generated: Path
    reference: Path
    out: Path
    config: EvaluationConfig
    weights: dict[str, ResolvedWeights]
    cache: Path
    runner: Runner = "ray"
    device: Device = "auto"
    dry_run: bool = False


Run = Callable[[list[Stage], list[Batch]], Iterator[Batch]]


def run_evaluation(request: Request, console: Console) -> dict[str, Any] | None:
    """Evaluate, write the report, and return the content of ``metrics.json`` (None after a dry run).

    Raises:
        UserError: the folders, the configuration, the weights or the cluster cannot be used.
    """
    config = request.config
    _check_out(request.out)
    if config.official:
        plan = plan_official(request.generated, request.reference, config.n_windows, config.decode_deadline_s)
    else:
        plan = plan_whole(request.generated, request.reference)
    stages, later_stages = clip_stages(config, request.weights), window_stages(config, request.weights)
    run, device, tables = _runner(request, [stages, later_stages] if config.official else [stages])
    evaluation = Evaluation(plan, config, request.weights, device, FeatureStore(request.cache))
    size = config.clips_per_batch or (_CLIPS_PER_GPU_BATCH if device == "cuda" else 1)
    batches = evaluation.clip_batches(size)
    _print_plan(console, request, tables, device, batches, len(plan.clips))
    if request.dry_run:
        return None
    try:
        _stream(run, stages, batches, "clips", evaluation, evaluation.take_clips)
        _stream(run, later_stages, evaluation.window_batches(), "windows", evaluation, evaluation.take_windows)
    finally:
        evaluation.flush()
    results = score(evaluation)
    return write_report(request.out, evaluation, results, request.weights, device)


def _stream(
    run: Run,
    stages: list[Stage],
    batches: list[Batch],
    what: str,
    evaluation: Evaluation,
    take: Callable[[Batch], int],
) -> None:
    if not batches:
        return
    flushed = time.monotonic()
    with ClipProgress(what, sum(batch_length(batch) for batch in batches)) as progress:
        for batch in run(stages, batches):
            progress.advance(batch_length(batch), take(batch))
            if time.monotonic() - flushed > _FLUSH_EVERY_S:
                evaluation.flush()
                flushed = time.monotonic()


def _runner(request: Request, streams: list[list[Stage]]) -> tuple[Run, str, list[dict[str, Pool]]]:
    """How to run a stream of stages, on which device, and with which workers for each of the given streams."""
    if request.runner == "sequential":
        device = _choose_device(request.device, torch.cuda.is_available())
        return lambda stages, batches: run_sequential(stages, batches, device), device, []
    # Imported here: an evaluation without Ray must not need it.
    from jobs.pools import plan_pools
    from jobs.ray_stream import connect, run_on_ray

    resources = connect()
    device = _choose_device(request.device, resources.gpus >= 1)

    def pools_of(stages: list[Stage]) -> dict[str, Pool]:
        return plan_pools([stage.name for stage in stages], resources, request.config.pools, device == "cuda")

    plans = [pools_of(stages) for stages in streams]
    return lambda stages, batches: run_on_ray(stages, batches, pools_of(stages)), device, plans


def _choose_device(wanted: Device, has_gpu: bool) -> str:
    if wanted == "cuda" and not has_gpu:
        raise UserError("--device cuda was asked for, but there is no GPU here; use --device cpu, or leave it out.")
    return "cuda" if has_gpu and wanted != "cpu" else "cpu"


def _check_out(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"The folder {out} cannot be made ({error.strerror}); name another with --out.") from error


def _print_plan(
    console: Console, request: Request, plans: list[dict[str, Pool]], device: str, batches: list[Batch], n_clips: int
) -> None:
    n_left = sum(batch_length(batch) for batch in batches)
    console.print(
        f"preset {request.config.preset}, {request.runner} runner on {device}, {request.config.precision}: "
        f"{n_clips} clips, {n_left} to compute, {n_clips - n_left} known or left out",
        soft_wrap=True,
    )
    for name, weights in request.weights.items():
        console.print(f"weights {name}: {weights.source}", soft_wrap=True)
    for what, pools in zip(("clips", "then batches of windows"), plans, strict=False):
        table = Table("stage", "workers", "CPUs each", "GPUs each", title=what)
        for name, pool in pools.items():
            table.add_row(name, str(pool.size), f"{pool.num_cpus:g}", f"{pool.num_gpus:g}")
        console.print(table)


def print_results(console: Console, content: dict[str, Any], out: Path) -> None:
    """The numbers as a table, and the failures (the first 50; clips.parquet has all)."""
    table = Table("metric", "value", "95 % interval", "better", "n")
    for name, metric in content["metrics"].items():
        value = "undefined" if metric["value"] is None else f"{metric['value']:.6g}"
        interval = "" if metric["ci95"] is None else "{:.4g} .. {:.4g}".format(*metric["ci95"])
        table.add_row(
            name,
            value,
            interval,
            "higher" if metric["higher_is_better"] else "lower",
            str(metric["n"]),
        )
    console.print(table)
    for name, metric in content["metrics"].items():
        if metric["reason"]:
            console.print(f"{name} is undefined: {metric['reason']}", soft_wrap=True)
    meaningless = sorted({w["source"] for w in content["weights"].values() if w["source"].startswith("filled")})
    for source in meaningless:
        console.print(f"weights: {source}", style="bold", soft_wrap=True)
    for failure in content["failures"][:_LISTED_FAILURES]:
        console.print(f"failed: {failure['error']}", soft_wrap=True, markup=False, highlight=False)
    console.print(f"{content['n_failed']} clips failed; everything is in {out}", soft_wrap=True)


def evaluate(
    generated: Annotated[Path, typer.Argument(help="Folder of generated clips.")],
    reference: Annotated[Path, typer.Argument(help="Folder of reference clips.")],
    preset: Annotated[str, typer.Option(help="savg, or savgbench-official for the official numbers.")] = "savg",
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("out"),
    config: Annotated[Path | None, typer.Option(help="YAML file with keys to lay over the preset.")] = None,
    weights: Annotated[WeightsMode, typer.Option(help="filled: numbers carry no meaning.")] = "official",
    weights_dir: Annotated[Path | None, typer.Option(help="Folder of weight files.")] = None,
    cache: Annotated[Path, typer.Option(help="Folder of features that runs share.")] = DEFAULT_CACHE,
    runner: Annotated[Runner, typer.Option(help="ray, or sequential without it.")] = "ray",
    device: Annotated[Device, typer.Option(help="auto takes GPUs where there are any.")] = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
) -> None:
    """Score generated clips against reference clips: FVD, KVD, FAD, Spatial and Temporal AV-Align."""
    choice = WeightsChoice(weights, WeightStore(weights_dir or default_root()))
    request = Request(
        generated=generated,
        reference=reference,
        out=out,
        config=load_config(preset, config),
        weights={name: choice.resolve(name) for name in NETWORKS},
        cache=cache,
        runner=runner,
        device=device,
        dry_run=dry_run,
    )
    try:
        content = run_evaluation(request, Console(stderr=True))
    except KeyboardInterrupt:
        print("interrupted; what was computed is kept, and the same command goes on from there", file=sys.stderr)
        raise typer.Exit(130) from None
    if content is None:
        return
    print_results(Console(), content, out)
    if content["n_failed"]:
        raise typer.Exit(3)


if __name__ == "__main__":
    run_command(evaluate)
