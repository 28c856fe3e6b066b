"""Recordings of our own making, as STARSS23 lays them out, with exactly known truth beside them."""

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from pydantic import ValidationError

from jobs.command import resumable, run_command
from jobs.folder_lock import alone_in
from jobs.one_by_one import stream_on_ray
from jobs.progress import StreamProgress
from jobs.runner import Runner, make_folder
from savg_ray.errors import UserError
from savg_ray.scenes.recording import DISK_FULL, missing_recordings
from savg_ray.scenes.roster import recording_name
from savg_ray.scenes.settings import SMALLEST_WIDTH_PX, SceneSettings, keep_settings
from savg_ray.stages.batch import Batch


def run_make_scenes(out: Path, n_recordings: int, settings: SceneSettings, runner: Runner) -> list[str]:
    """Make the recordings that the folder lacks.

    Returns:
        A sentence for each recording that failed.

    Raises:
        UserError: the folder cannot be used, or holds recordings of other settings; the disk is full.
    """
    make_folder(out, "OUT")
    with alone_in(out):
        keep_settings(out, settings)
        missing = missing_recordings(out, n_recordings)
        print(f"{runner} runner: {n_recordings} recordings, {len(missing)} to make", file=sys.stderr, flush=True)
        failures: list[str] = []
        made = _run(runner, out.resolve(), settings, missing)
        with closing(made), StreamProgress("making", len(missing), "recordings") as progress:
            for batch in made:
                recording, reason, error = (batch[name][0] for name in ("recording", "reason", "error"))
                if reason == DISK_FULL:
                    raise UserError(error)
                if reason:
                    failures.append(error)
                print(error or recording_name(int(recording)).stem, file=sys.stderr, flush=True)
                progress.advance(1, failed=bool(reason))
    return failures


def _run(runner: Runner, out: Path, settings: SceneSettings, recordings: list[int]) -> Iterator[Batch]:
    if not recordings:
        return
    # Imported where it is needed: the painter's compiler takes a second to load.
    from actors.scene_maker import SceneMaker

    if runner == "ray":
        yield from stream_on_ray(SceneMaker, (out, settings), "recording", recordings, None)
        return
    maker = SceneMaker(out, settings)
    for recording in recordings:
        yield maker({"recording": np.array([recording])})


def make_scenes(
    out: Annotated[Path, typer.Argument(help="Folder for the recordings, laid out as STARSS23.")],
    recordings: Annotated[int, typer.Option(min=1, help="How many recordings.")] = 12,
    minutes: Annotated[float, typer.Option(min=0.02, max=30, help="Length of each.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Other seeds give other rooms, people and sounds.")] = 0,
    size: Annotated[
        int, typer.Option(min=SMALLEST_WIDTH_PX, max=3840, help="Width of the pictures in pixels, twice the height.")
    ] = 1920,
    reflections: Annotated[bool, typer.Option(help="First reflections of the rooms.")] = True,
    ambience: Annotated[bool, typer.Option(help="Diffuse noise.")] = True,
    runner: Annotated[Runner, typer.Option(help="ray, or sequential without it.")] = "ray",
) -> None:
    """Make recordings of talking and playing people: 360° video, ambisonics, labels, and the truth behind them."""
    try:
        settings = SceneSettings(
            seed=seed, minutes=minutes, width_px=size, reflections=reflections, ambience=ambience
        )
    except ValidationError as error:
        raise UserError(f"--size {size} does not fit H.264; use a multiple of 4.") from error
    with resumable("finished recordings stay"):
        failures = run_make_scenes(out, recordings, settings, runner)
    print(f"{recordings - len(failures)} of {recordings} recordings are in {out}", file=sys.stderr)
    if failures:
        raise typer.Exit(3)


if __name__ == "__main__":
    run_command(make_scenes)
