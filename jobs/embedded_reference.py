"""Reference clips that need no download: scenes of our own making, curated like the benchmark's."""

from pathlib import Path

from rich.console import Console

from jobs.build_dataset import run_build
from jobs.make_scenes import run_make_scenes
from jobs.runner import Runner
from savg_ray.dataset.config import load_dataset_config
from savg_ray.errors import UserError
from savg_ray.scenes.settings import SceneSettings

_RECORDINGS = 6
# As sharp as the scenes that the bundled networks learned from; another seed, and so other rooms.
_SETTINGS = SceneSettings(seed=0, minutes=0.3, width_px=960, reflections=True, ambience=True)
_PRESET = "laptop"


def embedded_reference(folder: Path, runner: Runner, console: Console) -> Path:
    """The folder of reference clips below ``folder``; they are made at the first call and found at the next.

    Raises:
        UserError: the folder cannot be used, or the clips cannot be made.
    """
    console.print(f"no --reference: its clips are scenes of our own making, in {folder}", soft_wrap=True)
    failures = run_make_scenes(folder / "scenes", _RECORDINGS, _SETTINGS, runner)
    if failures:
        raise UserError(f"The reference clips cannot be made: {failures[0]}")
    run_build(folder / "scenes", folder / "clips", load_dataset_config(_PRESET), runner)
    return folder / "clips"
