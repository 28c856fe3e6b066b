"""What a build has to do: which recordings, less those that an earlier run has finished."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from savg_ray.dataset.build import RecordingJob
from savg_ray.dataset.config import DatasetConfig
from savg_ray.dataset.layout import DatasetFiles, why_not_written
from savg_ray.dataset.manifest import read_summary
from savg_ray.dataset.recordings import Problem, Recording, find_recordings
from savg_ray.dataset.windows import draw_candidates
from savg_ray.errors import ClipError, UserError
from savg_ray.files import written_at_once

# Raise when the same recording and configuration give other clips.
BUILD_VERSION = 2


@dataclass(frozen=True)
class DatasetPlan:
    """What is to be done.

    Attributes:
        files: where the dataset goes.
        config: how it is made.
        jobs: recordings to build, the longest files first.
        finished: names of recordings that are done.
        problems: recordings that cannot be built.
    """

    files: DatasetFiles
    config: DatasetConfig
    jobs: list[RecordingJob]
    finished: list[str]
    problems: list[Problem]


def plan_dataset(
    root: Path, out: Path, config: DatasetConfig, count_frames: Callable[[Recording], int]
) -> DatasetPlan:
    """Look at recordings and output folder, and fix the configuration of the latter.

    Args:
        root: of STARSS23.
        out: where the dataset goes.
        config: how it is made.
        count_frames: label frames of a recording (`count_label_frames`), asked only where clips are drawn at random.

    Raises:
        UserError: no recordings, rooms in two splits, or an output folder that cannot be used.
    """
    recordings, problems = find_recordings(root, config.splits)
    files = DatasetFiles(out, config.layout)
    claim_folder(files, config)
    draws: dict[str, tuple[tuple[int, int], ...]] = {}
    if config.windows.random is not None:
        n_frames, unreadable = _counted(recordings, count_frames)
        problems += unreadable
        recordings = [recording for recording in recordings if recording.name in n_frames]
        drawn = draw_candidates(n_frames, config.windows.length_frames, config.windows.random)
        draws = {name: tuple(pairs) for name, pairs in drawn.items()}
    jobs = [_job(recording, files, config, draws.get(recording.name)) for recording in recordings]
    finished = {job.recording.name for job in jobs if _is_finished(job)}
    left = [job for job in jobs if job.recording.name not in finished]
    left.sort(key=lambda job: (-job.recording.video.stat().st_size, job.recording.name))
    return DatasetPlan(files, config, left, sorted(finished), sorted(problems, key=lambda problem: problem.recording))


def claim_folder(files: DatasetFiles, config: DatasetConfig) -> None:
    """Write the configuration into the output folder, or check that it is the one there.

    Raises:
        UserError: the folder holds another dataset, or cannot be written.
    """
    content = {"version": BUILD_VERSION, **config.content}
    try:
        files.out.mkdir(parents=True, exist_ok=True)
        if files.settings.exists():
            _check_same(json.loads(files.settings.read_text()), content, files)
            return
        taken = sorted(path.name for kind in ("video", "metadata", "stereo") for path in files.out.glob(f"{kind}_*"))
        if taken:
            raise UserError(f"{files.out} already holds {taken[0]}, made by something else; name another folder.")
        with written_at_once(files.settings) as part:
            part.write_text(json.dumps(content, indent=2) + "\n")
    except OSError as error:
        raise UserError(
            f"The folder {files.out} cannot be written ({why_not_written(error)}); name another."
        ) from error
    except ValueError as error:
        raise UserError(f"{files.settings} is damaged; name another folder, or remove {files.out}.") from error


def _check_same(there: Any, now: dict[str, Any], files: DatasetFiles) -> None:
    before, after = _flat(there), _flat(now)
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            raise UserError(
                f"{files.out} holds a dataset with other settings ({key} is {json.dumps(before.get(key))} there and "
                f"{json.dumps(after.get(key))} now); name another folder, or remove this one."
            )


def _flat(value: Any, key: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {key: value}
    return {k: v for name, inner in value.items() for k, v in _flat(inner, f"{key}.{name}" if key else name).items()}


def _counted(
    recordings: list[Recording], count_frames: Callable[[Recording], int]
) -> tuple[dict[str, int], list[Problem]]:
    n_frames: dict[str, int] = {}
    problems: list[Problem] = []
    for recording in recordings:
        try:
            n_frames[recording.name] = count_frames(recording)
        except ClipError as error:
            message = f"{recording.name} failed: {error.message}"
            problems.append(Problem(recording.name, error.reason, message))
    return n_frames, problems


def _job(
    recording: Recording, files: DatasetFiles, config: DatasetConfig, draws: tuple[tuple[int, int], ...] | None
) -> RecordingJob:
    stats = [path.stat() for path in (recording.sound, recording.video, recording.labels)]
    sources = [[stat.st_size, stat.st_mtime_ns] for stat in stats]
    where = [recording.name, recording.part, recording.split]
    text = json.dumps([BUILD_VERSION, config.content, where, sources, draws], sort_keys=True)
    return RecordingJob(recording, files, config, hashlib.sha256(text.encode()).hexdigest(), draws)


def _is_finished(job: RecordingJob) -> bool:
    summary = read_summary(job.files.manifest_part(job.recording.name))
    return summary is not None and summary.digest == job.digest
