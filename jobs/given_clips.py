"""Half of each clip given: the options of a command that name a folder of clips, and what they come to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from savg_ray.errors import UserError
from savg_ray.evaluation.clip_files import list_clips
from savg_ray.sampling.config import Wanted

SoundFor = Annotated[Path | None, typer.Option(help="Folder of clips to make new stereo sound for.")]
PicturesFor = Annotated[Path | None, typer.Option(help="Folder of clips for whose sound to make new pictures.")]


@dataclass(frozen=True)
class GivenClips:
    """Clips of which half is given.

    Attributes:
        folder: where they lie.
        paths: those that are taken.
        wanted: what is made for the other half.
    """

    folder: Path
    paths: list[Path]
    wanted: Wanted


def given_clips(
    sound_for: Path | None, pictures_for: Path | None, n: int | None, out: Path, generator: str | None
) -> GivenClips | None:
    """What the options name; None where they name nothing.

    Args:
        sound_for: folder whose pictures are given.
        pictures_for: folder whose sound is given.
        n: how many of its clips, by name; None for all.
        out: folder of the run, which must not lie in the one given.
        generator: somebody's, which takes nothing given.

    Raises:
        UserError: options that contradict each other, or a folder without clips.
    """
    folder = sound_for or pictures_for
    if folder is None:
        return None
    if sound_for is not None and pictures_for is not None:
        raise UserError("--sound-for and --pictures-for make two runs: name one folder now, and another --out then.")
    if generator is not None:
        raise UserError("--sound-for and --pictures-for are for Stereo MM-Diffusion; leave out --generator.")
    paths = list_clips(folder, "given")
    inside, clips = folder.resolve(), (out / "clips").resolve()
    if inside == clips or inside in clips.parents:
        raise UserError(
            f"Clips made for those of {folder} must not mix with them; name a folder elsewhere with --out."
        )
    return GivenClips(folder, paths[:n], "pictures" if sound_for is None else "sound")
