"""The recordings of a STARSS23 folder: which there are, what they lack, and which split they belong to."""

import re
from dataclasses import dataclass
from pathlib import Path

from savg_ray.errors import UserError

_NAME = re.compile(r"fold(\d+)_room(\d+)_mix(\d+)")
_FOLDERS = {"wav": "foa_dev", "mp4": "video_dev", "csv": "metadata_dev"}
_WHAT = {"wav": "sound", "mp4": "video", "csv": "labels"}


@dataclass(frozen=True)
class Recording:
    """One recording: sound, 360° video and labels under one name.

    Attributes:
        name: ``foldF_roomR_mixM``.
        part: the folder that it is in, such as ``dev-train-sony``.
        split: the split that the part belongs to.
        sound, video, labels: its files.
    """

    name: str
    part: str
    split: str
    sound: Path
    video: Path
    labels: Path

    @property
    def room(self) -> int:
        """Number of the room."""
        return int(_NAME.fullmatch(self.name).group(2))


@dataclass(frozen=True)
class Problem:
    """Why a recording is not in the dataset.

    Attributes:
        recording: its name.
        reason: short stable identifier.
        message: one sentence for people.
        skipped: it never was complete, as the twelve recordings of STARSS23 without video; not a failure.
    """

    recording: str
    reason: str
    message: str
    skipped: bool = False


def find_recordings(root: Path, splits: dict[str, tuple[str, ...]]) -> tuple[list[Recording], list[Problem]]:
    """The complete recordings of the named parts, sorted by part and name, and what is wrong with the others.

    Args:
        root: holds ``foa_dev``, ``video_dev`` and ``metadata_dev``, each with folders named after the parts.
        splits: parts by split.

    Raises:
        UserError: no such folder, nothing in it, or two splits share a room.
    """
    if not (root / _FOLDERS["wav"]).is_dir():
        raise UserError(f"{root} has no folder foa_dev; name the folder that holds foa_dev, video_dev, metadata_dev.")
    found: list[Recording] = []
    problems: list[Problem] = []
    for split, parts in splits.items():
        for part in parts:
            recordings, lacking = _recordings_of_part(root, part, split)
            found += recordings
            problems += lacking
    if not found and not problems:
        parts = ", ".join(part for parts in splits.values() for part in parts)
        raise UserError(f"{root} holds no recordings; foa_dev, video_dev and metadata_dev must have folders {parts}.")
    found.sort(key=lambda recording: (recording.part, recording.name))
    found, twins = _without_twins(found)
    _check_rooms(found)
    return found, problems + twins


def _recordings_of_part(root: Path, part: str, split: str) -> tuple[list[Recording], list[Problem]]:
    names: set[str] = set()
    for suffix, folder in _FOLDERS.items():
        names |= {path.stem for path in (root / folder / part).glob(f"[!.]*.{suffix}")}
    found, problems = [], []
    for name in sorted(names):
        files = {suffix: root / folder / part / f"{name}.{suffix}" for suffix, folder in _FOLDERS.items()}
        problem = _problem(name, part, files)
        if problem is None:
            found.append(Recording(name, part, split, files["wav"], files["mp4"], files["csv"]))
        else:
            problems.append(problem)
    return found, problems


def _problem(name: str, part: str, files: dict[str, Path]) -> Problem | None:
    if not _NAME.fullmatch(name):
        message = f"{part}/{name} is not named like fold3_room21_mix001; rename its files, so that its room is known."
        return Problem(name, "bad_name", message)
    missing = [suffix for suffix, path in files.items() if not path.is_file()]
    if not missing:
        return None
    if missing == ["mp4"]:
        return Problem(name, "no_video", f"{name} is left out: it has no video ({files['mp4']}).", skipped=True)
    suffix = next(suffix for suffix in missing if suffix != "mp4")
    return Problem(name, f"no_{_WHAT[suffix]}", f"{name} has no {_WHAT[suffix]}; put {files[suffix]} there.")


def _without_twins(recordings: list[Recording]) -> tuple[list[Recording], list[Problem]]:
    by_name: dict[str, list[Recording]] = {}
    for recording in recordings:
        by_name.setdefault(recording.name, []).append(recording)
    problems = [
        Problem(name, "duplicate_name", f"{name} is in {' and in '.join(r.part for r in twins)}; keep one of them.")
        for name, twins in by_name.items()
        if len(twins) > 1
    ]
    return [twins[0] for twins in by_name.values() if len(twins) == 1], problems


def _check_rooms(recordings: list[Recording]) -> None:
    first: dict[int, Recording] = {}
    for recording in recordings:
        other = first.setdefault(recording.room, recording)
        if other.split != recording.split:
            raise UserError(
                f"Room {recording.room} is in split {other.split} ({other.part}/{other.name}) and in split "
                f"{recording.split} ({recording.part}/{recording.name}); change splits so that no room is in two."
            )
