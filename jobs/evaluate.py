"""The evaluation job: two folders of clips in, metrics.json and what is behind it out."""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from jobs.command import resumable, run_command
from jobs.folder_lock import alone_in
from jobs.runner import Device, Runner, StreamRunner, choose_runner, make_folder, print_pools
from savg_ray.config import EvaluationConfig, load_config
from savg_ray.evaluation.chain import clip_stages, networks, window_stages
from savg_ray.evaluation.evaluation import Evaluation
from savg_ray.evaluation.feature_store import FeatureStore
from savg_ray.evaluation.plan import plan_official, plan_whole
from savg_ray.evaluation.report import write_report
from savg_ray.evaluation.scores import score
from savg_ray.stages.batch import Batch, batch_length
from savg_ray.weights.choose import ResolvedWeights, WeightsChoice, WeightsMode
from savg_ray.weights.store import WeightStore, default_root

_CLIPS_PER_GPU_BATCH = 8
_LISTED_FAILURES = 50

DEFAULT_CACHE = Path.home() / ".cache" / "savg_ray" / "features"


@dataclass(frozen=True)
class Request:
    """An evaluation as a user asks for it; see `evaluate` for what each field means."""

    generated: Path
    reference: Path
    out: Path
    config: EvaluationConfig
    weights: dict[str, ResolvedWeights]
    cache: Path
    dry_run: bool = False


def run_evaluation(request: Request, runner: StreamRunner, console: Console) -> dict[str, Any] | None:
    """Evaluate, write the report, and return the content of ``metrics.json`` (None after a dry run).

    Raises:
        UserError: the folders, the configuration, the weights or the cluster cannot be used.
    """
    config = request.config
    if config.official:
        plan = plan_official(request.generated, request.reference, config.n_windows, config.decode_deadline_s)
    else:
        plan = plan_whole(request.generated, request.reference)
    stages = clip_stages(config, request.weights)
    device = runner.device
    evaluation = Evaluation(plan, config, request.weights, device, FeatureStore(request.cache))
    size = config.clips_per_batch or (_CLIPS_PER_GPU_BATCH if device == "cuda" else 1)
    batches = evaluation.clip_batches(size)
    pools = runner.pools(stages, config.pools)
    window_stage = window_stages(config, request.weights) if config.official else []
    window_pools = runner.pools(window_stage, config.pools) if config.official else {}
    _print_plan(console, request, runner, batches, len(plan.clips))
    print_pools(console, "clips", pools)
    print_pools(console, "then batches of windows", window_pools)
    if request.dry_run:
        return None
    runner.stream(stages, batches, pools, "clips", evaluation.take_clips, evaluation.flush)
    windows = evaluation.window_batches()
    runner.stream(window_stage, windows, window_pools, "windows", evaluation.take_windows, evaluation.flush)
    results = score(evaluation)
    return write_report(request.out, evaluation, results, request.weights, device)


def _print_plan(console: Console, request: Request, runner: StreamRunner, batches: list[Batch], n_clips: int) -> None:
    n_left = sum(batch_length(batch) for batch in batches)
    console.print(
        f"preset {request.config.preset}, {runner.name} runner on {runner.device}, {request.config.precision}: "
        f"{n_clips} clips, {n_left} to compute, {n_clips - n_left} known or left out",
        soft_wrap=True,
    )
    for name, weights in request.weights.items():
        console.print(f"weights {name}: {weights.source}", soft_wrap=True)


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
    sheet = out / "sheet.png"
    pictures = f"; look at {sheet}" if sheet.exists() else ""
    console.print(f"{content['n_failed']} clips failed; everything is in {out}{pictures}", soft_wrap=True)


def scoring_weights(
    config: EvaluationConfig, mode: WeightsMode | None, weights_dir: Path | None
) -> dict[str, ResolvedWeights]:
    """Weights of all networks that score, by name; without a mode those that the configuration is made for.

    Raises:
        UserError: there are no such weights, or a file is missing or not the right one.
    """
    choice = WeightsChoice(mode or config.weights, WeightStore(weights_dir or default_root()))
    return {name: choice.resolve(name) for name in networks(config).values()}


def evaluate(
    generated: Annotated[Path, typer.Argument(help="Folder of generated clips.")],
    reference: Annotated[Path, typer.Argument(help="Folder of reference clips.")],
    preset: Annotated[
        str, typer.Option(help="savg, savgbench-official for the official numbers, or laptop.")
    ] = "savg",
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("out"),
    config: Annotated[Path | None, typer.Option(help="YAML file with keys to lay over the preset.")] = None,
    weights: Annotated[
        WeightsMode | None, typer.Option(help="The preset's own if left out; filled: numbers carry no meaning.")
    ] = None,
    weights_dir: Annotated[Path | None, typer.Option(help="Folder of weight files.")] = None,
    cache: Annotated[Path, typer.Option(help="Folder of features that runs share.")] = DEFAULT_CACHE,
    runner: Annotated[Runner, typer.Option(help="ray, or sequential without it.")] = "ray",
    device: Annotated[Device, typer.Option(help="auto takes GPUs where there are any.")] = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
) -> None:
    """Score generated clips against reference clips: FVD, KVD, FAD, Spatial and Temporal AV-Align."""
    loaded = load_config(preset, config)
    request = Request(
        generated=generated,
        reference=reference,
        out=out,
        config=loaded,
        weights=scoring_weights(loaded, weights, weights_dir),
        cache=cache,
        dry_run=dry_run,
    )
    with resumable("what was computed is kept"):
        streams = choose_runner(runner, device)
        make_folder(out, "--out")
        with nullcontext() if dry_run else alone_in(out):
            content = run_evaluation(request, streams, Console(stderr=True))
    if content is None:
        return
    print_results(Console(), content, out)
    if content["n_failed"]:
        raise typer.Exit(3)


if __name__ == "__main__":
    run_command(evaluate)
