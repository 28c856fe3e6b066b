"""The whole job: sample clips and score them, in one stream."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from jobs import sample
from jobs.command import resumable, run_command
from jobs.embedded_reference import embedded_reference
from jobs.evaluate import DEFAULT_CACHE, Request, print_results, run_evaluation, scoring_weights
from jobs.folder_lock import alone_in
from jobs.runner import StreamRunner, choose_runner, make_folder, print_pools
from jobs.sample import SampleRequest, SamplingWork
from savg_ray.config import EvaluationConfig, load_config
from savg_ray.errors import UserError
from savg_ray.evaluation.chain import clip_stages
from savg_ray.evaluation.evaluation import Evaluation
from savg_ray.evaluation.feature_store import FeatureStore
from savg_ray.evaluation.plan import ClipPlan, plan_made
from savg_ray.evaluation.report import write_report
from savg_ray.evaluation.scores import score
from savg_ray.generation.sampling import Sampling
from savg_ray.stages.batch import Batch
from savg_ray.stages.stage import drop_at_last_reader
from savg_ray.weights.choose import ResolvedWeights

_PRESET_WITHOUT_REFERENCE = "laptop"


@dataclass(frozen=True)
class ScoreRequest:
    """How the clips are scored, and against what."""

    reference: Path
    config: EvaluationConfig
    weights: dict[str, ResolvedWeights]
    cache: Path


def sample_and_score(
    request: SampleRequest, scoring: ScoreRequest, streams: StreamRunner, console: Console
) -> dict[str, Any]:
    """Make the missing clips and score all, each clip on its way out; returns the content of ``metrics.json``.

    What is scored is what the file holds, read back from it, so that ``savg evaluate`` finds the same numbers later.

    Raises:
        UserError: the folders, weights or workers cannot be used.
    """
    work = sample.plan_sampling(request, streams)
    sample.print_plan(console, request, work, streams)
    sample.write_origin(request, streams.device)
    if scoring.config.official:
        return _sample_then_score(request, scoring, work, streams, console)
    sampling = work.sampling
    plan = plan_made([_plan_of(sampling, name) for name in sampling.clips], scoring.reference)
    evaluation = Evaluation(plan, scoring.config, scoring.weights, streams.device, FeatureStore(scoring.cache))
    scorers = clip_stages(scoring.config, scoring.weights)
    chain = [*work.stages, *scorers]
    drop_at_last_reader(chain)
    pools = streams.pools(chain, {**(scoring.config.pools or {}), **(request.config.pools or {})})
    print_pools(console, "sampling and scoring", pools)

    def take(batch: Batch) -> int:
        sampling.take(batch)
        return evaluation.take_clips(batch)

    def flush() -> None:
        sampling.flush()
        evaluation.flush()

    batches = [evaluation.asking_for_scores(batch) for batch in sample.clip_batches(request, work)]
    streams.stream(chain, batches, pools, "sampling and scoring", take, flush)
    drop_at_last_reader(scorers)
    rest = evaluation.clip_batches(scoring.config.clips_per_batch or work.clips_per_batch)
    pools = streams.pools(scorers, scoring.config.pools)
    streams.stream(scorers, rest, pools, "scoring the others", evaluation.take_clips, evaluation.flush)
    return write_report(request.out, evaluation, score(evaluation), scoring.weights, streams.device)


def _sample_then_score(
    request: SampleRequest, scoring: ScoreRequest, work: SamplingWork, streams: StreamRunner, console: Console
) -> dict[str, Any]:
    # The official evaluation draws windows from all clips, which therefore must be there first.
    pools = streams.pools(work.stages, request.config.pools)
    print_pools(console, "sampling", pools)
    sampling = work.sampling
    batches = sample.clip_batches(request, work)
    streams.stream(work.stages, batches, pools, "sampling", sampling.take, sampling.flush)
    evaluation = Request(
        generated=request.out / "clips",
        reference=scoring.reference,
        out=request.out,
        config=scoring.config,
        weights=scoring.weights,
        cache=scoring.cache,
    )
    return run_evaluation(evaluation, streams, console)


def _plan_of(sampling: Sampling, name: str) -> ClipPlan:
    clip = sampling.clips[name]
    return ClipPlan(clip.id, clip.path, "generated", clip.sha256)


def run(
    reference: Annotated[
        Path | None, typer.Option(help="Folder of reference clips; preset laptop can do without.")
    ] = None,
    n: sample.N = 96,
    preset: sample.Preset = "savg",
    seed: sample.Seed = 0,
    out: Annotated[Path, typer.Option(help="Folder for clips and results.")] = Path("run"),
    config: sample.Config = None,
    weights: sample.Weights = None,
    weights_dir: sample.WeightsDir = None,
    generator: sample.GeneratorClass = None,
    generator_config: sample.GeneratorConfig = None,
    cache: Annotated[Path, typer.Option(help="Folder of features that runs share.")] = DEFAULT_CACHE,
    runner: sample.RunnerName = "ray",
    device: sample.DeviceName = "auto",
) -> None:
    """Sample clips and score them against reference clips, in one stream."""
    request = sample.make_request(n, preset, seed, out, config, weights, weights_dir, generator, generator_config)
    if reference is None and preset != _PRESET_WITHOUT_REFERENCE:
        raise UserError("Clips are scored against others: name a folder of them with --reference.")
    scored_as = load_config(request.config.evaluation)
    scorers = scoring_weights(scored_as, weights, weights_dir)
    streams, console = choose_runner(runner, device), Console(stderr=True)
    make_folder(out, "--out")
    with resumable("clips and scores stay"), alone_in(out):
        reference = reference or embedded_reference(out / "reference", runner, console)
        scoring = ScoreRequest(reference, scored_as, scorers, cache)
        content = sample_and_score(request, scoring, streams, console)
    print_results(Console(), content, out)
    if content["n_failed"]:
        raise typer.Exit(3)


if __name__ == "__main__":
    run_command(run)
