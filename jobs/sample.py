"""The sampling job: clip ids in, mp4 files and a manifest out."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from jobs.command import resumable, run_command
from jobs.folder_lock import alone_in
from jobs.given_clips import GivenClips, PicturesFor, SoundFor, given_clips
from jobs.runner import Device, Runner, StreamRunner, choose_runner, make_folder, print_pools
from savg_ray.diffusion.noise_schedule import TOTAL_STEPS
from savg_ray.diffusion.schedules import diffusion_tables
from savg_ray.errors import UserError
from savg_ray.evaluation.chain import versions
from savg_ray.files import written_at_once
from savg_ray.generation import chain
from savg_ray.generation.given_clips import clips_for
from savg_ray.generation.sampling import SampledClip, Sampling, numbered_clips
from savg_ray.presets import read_yaml
from savg_ray.sampling.config import SamplingConfig, load_sampling_config
from savg_ray.sampling.generator import construct
from savg_ray.stages.stage import Stage
from savg_ray.weights.choose import ResolvedWeights, WeightsChoice, WeightsMode
from savg_ray.weights.store import WeightStore, default_root

_DEFAULT_CLIPS = 96
_CLIPS_PER_BATCH = {"cpu": 1, "cuda": 8}
_LISTED_FAILURES = 50


@dataclass(frozen=True)
class SampleRequest:
    """Clips as a user asks for them; see `sample` for what each field means.

    Attributes:
        generator: ``package.module:Class`` of somebody's generator; None for Stereo MM-Diffusion.
        generator_settings: what that class is given.
        given: clips of which half is given; None where all is made from nothing.
    """

    n: int
    seed: int
    out: Path
    config: SamplingConfig
    weights: dict[str, ResolvedWeights]
    generator: str | None
    generator_settings: dict[str, Any]
    given: GivenClips | None = None


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
    if request.given is not None:
        return _plan_conditional(request, request.given, device)
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
    clips = numbered_clips(request.out, n, request.seed, identity)
    return _work(request, stages, clips, size)


def _plan_conditional(request: SampleRequest, given: GivenClips, device: str) -> SamplingWork:
    config, weights = request.config, request.weights
    stages = chain.conditional_stages(config, given.wanted, weights, device)
    identity = chain.diffusion_identity(config, weights, device, given.wanted)
    clips = clips_for(given.paths, request.out, request.seed, identity)
    return _work(request, stages, clips, config.clips_per_batch or _CLIPS_PER_BATCH[device])


def _work(request: SampleRequest, stages: list[Stage], clips: list[SampledClip], size: int) -> SamplingWork:
    sampling = Sampling(request.out, clips, request.seed, [stage.name for stage in stages])
    return SamplingWork(stages, sampling, size)


def clip_batches(request: SampleRequest, work: SamplingWork) -> list[dict]:
    """Batches of the clips that are missing."""
    return work.sampling.batches(work.clips_per_batch, whole=not _independent(request))


def _independent(request: SampleRequest) -> bool:
    return request.generator is not None or request.config.base.per_clip


def print_plan(console: Console, request: SampleRequest, work: SamplingWork, runner: StreamRunner) -> None:
    """What will be made, from what, and what is there already."""
    clips, missing, failed = len(work.sampling.clips), len(work.sampling.missing), len(work.sampling.failed)
    made_by = request.generator or f"preset {request.config.preset}"
    unusable = f", {failed} unusable" if failed else ""
    console.print(
        f"{made_by} on {runner.device}, seed {request.seed}: {clips} clips, {missing} to make, "
        f"{clips - missing - failed} there{unusable}",
        soft_wrap=True,
    )
    if request.given is not None:
        print_given(console, request.given, request.config)
    elif clips != request.n:
        console.print(f"batches of {work.clips_per_batch} are stepped as one: {clips} clips instead of {request.n}")
    for name, weights in request.weights.items():
        console.print(f"weights {name}: {weights.source}", soft_wrap=True)


def print_given(console: Console, given: GivenClips, config: SamplingConfig) -> None:
    """What is made for what, and how."""
    conditional = config.conditional
    steps = len(diffusion_tables(TOTAL_STEPS, conditional.respacing))
    way = "replacement" if conditional.guidance_scale == 0 else f"guidance {conditional.guidance_scale:g}"
    console.print(
        f"{given.wanted} for the clips of {given.folder}: {steps} steps of {conditional.solver.upper()}, {way}",
        soft_wrap=True,
    )


def write_origin(request: SampleRequest, device: str) -> None:
    """Write ``sampling.json``: what the clips of this folder are made from.

    Raises:
        UserError: the folder cannot be written.
    """
    config, given = request.config, request.given
    settings = config.content if given is None else config.conditional_content(given.wanted)
    content = {
        "preset": config.preset,
        "seed": request.seed,
        "generator": request.generator,
        "given": None if given is None else {"folder": str(given.folder), "wanted": given.wanted},
        "config": request.generator_settings if request.generator else settings,
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
    n: int | None,
    preset: str,
    seed: int,
    out: Path,
    config: Path | None,
    weights: WeightsMode | None,
    weights_dir: Path | None,
    generator: str | None,
    generator_config: Path | None,
    sound_for: Path | None = None,
    pictures_for: Path | None = None,
) -> SampleRequest:
    """A request from the options of a command; see `sample` for what each means.

    Raises:
        UserError: a configuration or weights cannot be used, or options contradict each other.
    """
    if generator is None and generator_config is not None:
        raise UserError("--generator-config is for --generator; Stereo MM-Diffusion takes --config.")
    given = given_clips(sound_for, pictures_for, n, out, generator)
    loaded = load_sampling_config(preset, config)
    if given is not None:
        loaded, n = chain.conditional_config(loaded, given.wanted), len(given.paths)
    mode = weights or loaded.weights
    choice = WeightsChoice(mode, WeightStore(weights_dir or default_root()))
    names = chain.networks(loaded, mode) if generator is None else {}
    return SampleRequest(
        n=_DEFAULT_CLIPS if n is None else n,
        seed=seed,
        out=out,
        config=loaded,
        weights={role: choice.resolve(name) for role, name in names.items()},
        generator=generator,
        generator_settings=read_yaml(generator_config) if generator_config else {},
        given=given,
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
    n: Annotated[
        int | None,
        typer.Option(
            min=1, help="How many clips the folder shall hold: 96, or all that are given.", show_default=False
        ),
    ] = None,
    preset: Preset = "savg",
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="Folder for the clips.")] = Path("samples"),
    sound_for: SoundFor = None,
    pictures_for: PicturesFor = None,
    config: Config = None,
    weights: Weights = None,
    weights_dir: WeightsDir = None,
    generator: GeneratorClass = None,
    generator_config: GeneratorConfig = None,
    runner: RunnerName = "ray",
    device: DeviceName = "auto",
    dry_run: DryRun = False,
) -> None:
    """Generate clips: video with stereo sound. What is there already stays; a larger --n only adds.

    With --sound-for or --pictures-for half of each clip is given, and the other half is made for it.
    """
    request = make_request(
        n, preset, seed, out, config, weights, weights_dir, generator, generator_config, sound_for, pictures_for
    )
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
