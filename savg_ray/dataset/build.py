"""One recording from its files to finished clips and its part of the manifest."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

import av
import cv2
import numpy as np

from savg_ray.dataset.annotations import Annotations, read_annotations
from savg_ray.dataset.clip_files import view_of
from savg_ray.dataset.clips import ClipSweep, window_sound
from savg_ray.dataset.config import DatasetConfig
from savg_ray.dataset.layout import DatasetFiles, why_not_written
from savg_ray.dataset.manifest import PartSummary, labelled_frames, write_part
from savg_ray.dataset.pictures import VideoHeader, read_header
from savg_ray.dataset.recordings import Recording
from savg_ray.dataset.rules import CLIPPED, FATES, KEPT, label_fates, relevant_rows
from savg_ray.dataset.sound import sound_length_s
from savg_ray.dataset.windows import Candidates, grid_candidates, listed_candidates, n_label_frames
from savg_ray.errors import ClipError
from savg_ray.media.safe_reader import SafeReader
from savg_ray.spatial.screen import screen_position

_DIFFERENT_LENGTHS_S = 0.1


@dataclass(frozen=True)
class RecordingJob:
    """What a worker needs to build one recording.

    Attributes:
        recording: its files.
        files: where clips go.
        config: how they are made.
        digest: of everything that decides them.
        draws: (start frame, yaw) of each candidate; None for the grid.
    """

    recording: Recording
    files: DatasetFiles
    config: DatasetConfig
    digest: str
    draws: tuple[tuple[int, int], ...] | None = None

    def __str__(self) -> str:
        return str(self.recording.video)


@dataclass(frozen=True)
class Outcome:
    """What became of one recording.

    Attributes:
        recording: its name.
        n_candidates, n_kept: clips looked at, and written.
        reason: empty when all went well.
        message: one sentence for people.
        ends_run: no other recording can be built either, as when the disk is full.
    """

    recording: str
    n_candidates: int = 0
    n_kept: int = 0
    reason: str = ""
    message: str = ""
    ends_run: bool = False


def build_in_child(reader: SafeReader, job: RecordingJob) -> Outcome:
    """`build_recording` in a process of its own, which a damaged file may crash; of a failure no clip is left."""
    name = job.recording.name
    try:
        outcome = reader(build_recording, job)
    except ClipError as error:
        outcome = Outcome(name, reason=error.reason, message=f"{name} failed: {error.message}")
    if outcome.reason and not outcome.ends_run:
        job.files.remove_clips(job.recording)
    return outcome


def build_recording(job: RecordingJob) -> Outcome:
    """Write all clips of a recording, then its part of the manifest, which marks it as finished."""
    name, out = job.recording.name, job.files.out
    # Workers share the cores by their number.
    cv2.setNumThreads(1)
    try:
        job.files.remove_clips(job.recording)
        return _build(job)
    except ClipError as error:
        return Outcome(name, reason=error.reason, message=f"{name} failed: {error.message}")
    # What cannot be read is a ClipError already.
    except (OSError, av.FFmpegError) as error:
        message = (
            f"{out} cannot be written ({why_not_written(error)}); free space or mend its permissions. Finished "
            "recordings stay, and the same command goes on from there."
        )
        return Outcome(name, reason="not_written", message=message, ends_run=True)


def count_label_frames(recording: Recording) -> int:
    """Label frames that sound and video of a recording have in common, from their headers.

    Raises:
        ClipError: sound or video cannot be used.
    """
    return n_label_frames(sound_length_s(recording.sound), read_header(recording.video).length_s)


def _build(job: RecordingJob) -> Outcome:
    recording, config = job.recording, job.config
    stop_if_orphaned = _orphan_stopper()
    annotations = relevant_rows(read_annotations(recording.labels), config.rules)
    if config.layout == "dcase2025" and annotations.distance_cm is None:
        message = f"{recording.labels} is of the old format without distance, which layout dcase2025 needs."
        raise ClipError("no_distance", message)
    sound_s, video = sound_length_s(recording.sound), read_header(recording.video)
    n_frames = n_label_frames(sound_s, video.length_s)
    candidates = _candidates(job, n_frames)
    fates = _fates(job, annotations, candidates)
    kept = fates == KEPT
    chosen = Candidates(candidates.start_frame[kept], candidates.yaw_deg[kept])
    ClipSweep(recording, job.files, config, video, annotations, tick=stop_if_orphaned).write(chosen)
    summary = PartSummary(
        digest=job.digest,
        recording=recording.name,
        part=recording.part,
        split=recording.split,
        fates={fate: int((fates == i).sum()) for i, fate in enumerate(FATES)},
        labelled_frames=labelled_frames(annotations, chosen, config.windows.length_frames),
        notes=_notes(job, sound_s, video, n_frames),
    )
    stop_if_orphaned()
    write_part(job.files.manifest_part(recording.name), summary, candidates, fates, annotations, config)
    return Outcome(recording.name, len(candidates), len(chosen))


def _orphan_stopper() -> Callable[[], None]:
    """Ends this process when the one that started it is gone: the next run may be writing the same files."""
    parent = os.getppid()

    def stop_if_orphaned() -> None:
        if os.getppid() != parent:
            sys.exit(1)

    return stop_if_orphaned


def _candidates(job: RecordingJob, n_frames: int) -> Candidates:
    windows = job.config.windows
    if windows.grid is not None:
        return grid_candidates(n_frames, windows.length_frames, windows.grid)
    return listed_candidates(list(job.draws or ()))


def _fates(job: RecordingJob, annotations: Annotations, candidates: Candidates) -> np.ndarray:
    """uint8 (n,), indices into `FATES`: what labels decide, and then sound."""
    config, view = job.config, view_of(job.config)
    fates = label_fates(
        annotations,
        candidates,
        config.windows.length_frames,
        config.rules,
        lambda azimuth_deg, elevation_deg: screen_position(azimuth_deg, elevation_deg, view)[0],
    )
    if config.rules.max_peak is None:
        return fates
    start, sound = None, None
    for i in np.flatnonzero(fates == KEPT):
        if candidates.start_frame[i] != start:
            start = int(candidates.start_frame[i])
            sound = window_sound(job.recording, start, config)
        if sound.peak(int(candidates.yaw_deg[i])) > config.rules.max_peak:
            fates[i] = CLIPPED
    return fates


def _notes(job: RecordingJob, sound_s: float, video: VideoHeader, n_frames: int) -> list[str]:
    name, window_s = job.recording.name, job.config.window_s
    notes = []
    if abs(sound_s - video.length_s) > _DIFFERENT_LENGTHS_S:
        notes.append(
            f"{name}: {sound_s:.1f} s of sound and {video.length_s:.1f} s of video; the first {n_frames / 10:.1f} s "
            "that both have are used."
        )
    if n_frames < job.config.windows.length_frames:
        notes.append(f"{name} is shorter than a clip of {window_s:g} s.")
    return notes
