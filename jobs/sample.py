"""The sampling job: clip ids in, mp4 files and a manifest out."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from jobs.command import resumable, run_command
from jobs.folder_lock import alone_in
from jobs.runner import Device, Runner, StreamRunner, choose_runner, make_folder, print_pools
from savg_ray.errors import UserError
from savg_ray.evaluation.chain import versions
from savg_ray.files import written_at_once
from savg_ray.generation import chain
from savg_ray.generation.sampling import Sampling
from savg_ray.presets import read_yaml
from savg_ray.sampling.config import SamplingConfig, load_sampling_config
from savg_ray.sampling.generator import construct
from savg_ray.stages.stage import Stage
from savg_ray.weights.choose import ResolvedWeights, WeightsChoice, WeightsMode
from savg_ray.weights.store import WeightStore, default_root

_CLIPS_PER_BATCH = {"cpu": 1, "cuda": 8}
_LISTED_FAILURES = 50


@dataclass(frozen=True)
class SampleRequest:
    """Clips as a user asks for them; see `sample` for what each field means.

    Attributes:
        generator: ``package.module:Class`` of somebody's generator; None for Stereo MM-Diffusion.
        generator_settings: what that class is given.
    """

    n: int
    seed: int
    out: Path
    config: SamplingConfig
    weights: dict[str, ResolvedWeights]
    generator: str | None
    generator_settings: dict[str, Any]


@dataclass(frozen=True)
class SamplingWork:
    """What a request comes to on a device: the stages, and the state of the run."""

    stages: list[Stage]
    sampling: Sampling
    clips_per_batch: int


def plan_sampling(request: SampleRequest, runner: StreamRunner) -> SamplingWork:
    """The stages and the missing clips of a request.

    Raises:
        UserError: the folder, the generator or the weights cannot be used.
    """
    make_folder(request.out / "clips", "--out")
    config, device = request.config, runner.device
    if request.generator is None:
        stages = chain.diffusion_stages(config, request.weights, device)
        identity = chain.diffusion_identity(config, request.weights, device)
    else:
        here = Path.cwd()
        construct(request.generator, request.generator_settings, here)
        stages = chain.generator_stages(request.generator, request.generator_settings, here, config.audio_codec)
        identity = chain.generator_identity(request.generator, request.generator_settings, config.audio_codec)
    size = config.clips_per_batch or _CLIPS_PER_BATCH[device]
    n = request.n if _independent(request) else -(-request.n // size) * size
    names = [stage.name for stage in stages]
    return SamplingWork(stages, Sampling(request.out, n, request.seed, identity, names), size)


def clip_batches(request: SampleRequest, work: SamplingWork) -> list[dict]:
    """Batches of the clips that are missing."""
    return work.sampling.batches(work.clips_per_batch, whole=not _independent(request))


def _independent(request: SampleRequest) -> bool:
    return request.generator is not None or request.config.base.per_clip


def print_plan(console: Console, request: SampleRequest, work: SamplingWork, runner: StreamRunner) -> None:
    """What will be made, from what, and what is there already."""
    clips, missing = len(work.sampling.clips), len(work.sampling.missing)
    made_by = request.generator or f"preset {request.config.preset}"
    console.print(
        f"{made_by} on {runner.device}, seed {request.seed}: {clips} clips, {missing} to make, "
        f"{clips - missing} there",
        soft_wrap=True,
    )
    if clips != request.n:
        console.print(f"batches of {work.clips_per_batch} are stepped as one: {clips} clips instead of {request.n}")
    for name, weights in request.weights.items():
        console.print(f"weights {name}: {weights.source}", soft_wrap=True)


def write_origin(request: SampleRequest, device: str) -> None:
    """Write ``sampling.json``: what the clips of this folder are made from.

    Raises:
        UserError: the folder cannot be written.
    """
    content = {
        "preset": request.config.preset,
        "seed": request.seed,
        "generator": request.generator,
        "config": request.generator_settings if request.generator else request.config.content,
        "weights": {name: {"source": one.source, "sha256": one.sha256} for name, one in request.weights.items()},
        "versions": versions(device),
    }
    path = request.out / "sampling.json"
    try:
        with written_at_once(path) as part:
            part.write_text(json.dumps(content, indent=2) + "\n")
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); name another folder with --out.") from error


def print_outcome(console: Console, sampling: Sampling) -> None:
    """What happened on the way, and which clips failed (the first 50; the manifest has all)."""
    for note in sorted({clip.notes for clip in sampling.clips.values() if clip.notes}):
        console.print(f"note: {note}", soft_wrap=True)
    for clip in sampling.failed[:_LISTED_FAILURES]:
        console.print(f"failed: {clip.error}", soft_wrap=True, markup=False, highlight=False)
    made = sum(1 for clip in sampling.clips.values() if clip.sha256)
    console.print(f"{made} clips in {sampling.out / 'clips'}, {len(sampling.failed)} failed", soft_wrap=True)


def make_request(
    n: int,
    preset: str,
    seed: int,
    out: Path,
    config: Path | None,
    weights: WeightsMode | None,
    weights_dir: Path | None,
    generator: str | None,
    generator_config: Path | None,
) -> SampleRequest:
    """A request from the options of a command.

    Raises:
        UserError: a configuration or weights cannot be used, or options contradict each other.
    """
    if generator is None and generator_config is not None:
        raise UserError("--generator-config is for --generator; Stereo MM-Diffusion takes --config.")
    loaded = load_sampling_config(preset, config)
    mode = weights or loaded.weights
    choice = WeightsChoice(mode, WeightStore(weights_dir or default_root()))
    names = chain.networks(loaded, mode) if generator is None else {}
    return SampleRequest(
        n=n,
        seed=seed,
        out=out,
        config=loaded,
        weights={role: choice.resolve(name) for role, name in names.items()},
        generator=generator,
        generator_settings=read_yaml(generator_config) if generator_config else {},
    )


N = Annotated[int, typer.Option(min=1, help="How many clips the folder shall hold.")]
Preset = Annotated[str, typer.Option(help="savg, savgbench-official, fast or laptop.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the run; clip i of a seed is always the same.")]
Config = Annotated[Path | None, typer.Option(help="YAML file with keys to lay over the preset.")]
Weights = Annotated[
    WeightsMode | None, typer.Option(help="official, bundled (preset laptop), or filled (clips carry no meaning).")
]
WeightsDir = Annotated[Path | None, typer.Option(help="Folder of weight files.")]
GeneratorClass = Annotated[str | None, typer.Option(help="package.module:Class of a generator of your own.")]
GeneratorConfig = Annotated[Path | None, typer.Option(help="YAML file that the class is given.")]
RunnerName = Annotated[Runner, typer.Option(help="ray, or sequential without it.")]
DeviceName = Annotated[Device, typer.Option(help="auto takes GPUs where there are any.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")]


def sample(
    n: N = 96,
    preset: Preset = "savg",
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="Folder for the clips.")] = Path("samples"),
    config: Config = None,
    weights: Weights = None,
    weights_dir: WeightsDir = None,
    generator: GeneratorClass = None,
    generator_config: GeneratorConfig = None,
    runner: RunnerName = "ray",
    device: DeviceName = "auto",
    dry_run: DryRun = False,
) -> None:
    """Generate clips: video with stereo sound. What is there already stays; a larger --n only adds."""
    request = make_request(n, preset, seed, out, config, weights, weights_dir, generator, generator_config)
    console = Console(stderr=True)
    streams = choose_runner(runner, device)
    work = plan_sampling(request, streams)
    pools = streams.pools(work.stages, request.config.pools)
    print_plan(console, request, work, streams)
    print_pools(console, "clips", pools)
    if dry_run:
        return
    sampling = work.sampling
    with resumable("finished clips stay"), alone_in(out):
        write_origin(request, streams.device)
        streams.stream(work.stages, clip_batches(request, work), pools, "clips", sampling.take, sampling.flush)
    print_outcome(Console(), sampling)
    if sampling.failed:
        raise typer.Exit(3)


if __name__ == "__main__":
    run_command(sample)
