"""Which files of a folder are clips, and in which order."""

from pathlib import Path

from savg_ray.errors import UserError

EXTENSIONS = (".avi", ".gif", ".mp4")


def list_clips(folder: Path, what: str) -> list[Path]:
    """All clips below a folder, in the official order: the entries of each directory by name, depth first.

    A directory that is named like a clip counts as one, as in the official loader; reading it will fail.

    Args:
        folder: where to look.
        what: what the folder should hold, for the message: ``generated`` or ``reference``.

    Raises:
        UserError: no such folder, or no clip in it.
    """
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise UserError(f"The folder of {what} clips {folder} {problem}; name a folder of mp4 files.")
    clips = _clips_below(folder)
    if not clips:
        raise UserError(f"The folder of {what} clips {folder} holds no {', '.join(EXTENSIONS)} file.")
    return clips


def _clips_below(folder: Path) -> list[Path]:
    clips: list[Path] = []
    for entry in sorted(folder.iterdir(), key=lambda path: path.name):
        if entry.suffix.lower() in EXTENSIONS:
            # The writer's unfinished files are hidden.
            if not entry.name.startswith("."):
                clips.append(entry)
        elif entry.is_dir():
            clips += _clips_below(entry)
    return clips


def clip_id(path: Path, folder: Path) -> str:
    """A clip's name within its folder, without the extension: ``clip_001`` or ``room1/clip_001``."""
    return path.relative_to(folder).with_suffix("").as_posix()
