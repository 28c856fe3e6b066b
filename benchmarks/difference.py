"""How far apart the clips of two folders are that were sampled from the same seeds.

    python -m benchmarks.difference fast/clips savg/clips

Standard output carries one JSON line: means over the clips whose names are in both.
"""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from jobs.command import run_command
from savg_ray.errors import UserError
from savg_ray.media.reader import read_clip

_DARKEST_CONTENT = 2  # grey levels: the mean of a row that is not black


def difference(made: Path, other: Path) -> dict[str, float]:
    """PSNR of pictures (whole, and without the rows that are black in the first), and correlation of sound.

    Raises:
        UserError: no clip is in both folders.
    """
    pictures, content, sound = [], [], []
    for path in sorted(made.glob("*.mp4")):
        if not (other / path.name).exists():
            continue
        a, b = read_clip(path), read_clip(other / path.name)
        squares = (a.frames.astype(np.float64) - b.frames) ** 2
        rows = a.frames.mean(axis=(0, 2, 3)) > _DARKEST_CONTENT
        pictures.append(10 * np.log10(255**2 / squares.mean()))
        content.append(10 * np.log10(255**2 / squares[:, rows].mean()))
        sound.append(np.corrcoef(a.waveform.ravel(), b.waveform.ravel())[0, 1])
    if not pictures:
        raise UserError(f"{made} and {other} have no clip of one name in common; name two folders of mp4 files.")
    return {
        "clips": len(pictures),
        "psnr_db": float(np.mean(pictures)),
        "psnr_of_content_db": float(np.mean(content)),
        "correlation_of_sound": float(np.mean(sound)),
    }


def show_difference(
    made: Annotated[Path, typer.Argument(help="Folder of clips.")],
    other: Annotated[Path, typer.Argument(help="Folder of clips from the same seeds.")],
) -> None:
    """Compare the clips of two folders."""
    print(json.dumps(difference(made, other)))


if __name__ == "__main__":
    run_command(show_difference)
