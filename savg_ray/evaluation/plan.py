"""Which clips are scored, by which stages, and (official protocol) which windows of them."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from savg_ray.errors import ClipError
from savg_ray.evaluation.clip_files import clip_id, list_clips
from savg_ray.files import file_sha256
from savg_ray.media.reader import check_file, probe_clip
from savg_ray.media.safe_reader import SafeReader
from savg_ray.protocols import official_windows
from savg_ray.protocols.clip_form import Role, check_official_generated, check_official_reference

GENERATED_STAGES = ("detections", "video_features", "temporal", "seld", "audio_features")
REFERENCE_STAGES = ("video_features", "audio_features")


@dataclass
class ClipPlan:
    """One clip of a run.

    Attributes:
        id: its name within its folder.
        windows: numbers of its windows that are scored, ascending (official protocol only).
        reason: why it is left out before anything is decoded; empty when it is not.
        error: the same in a sentence.
    """

    id: str
    path: Path
    role: Role
    sha256: str = ""
    windows: list[int] = field(default_factory=list)
    reason: str = ""
    error: str = ""

    @property
    def key(self) -> tuple[Role, str]:
        """What distinguishes it from every other clip of the run."""
        return self.role, self.id

    def fail(self, error: ClipError) -> None:
        """Leave the clip out."""
        self.reason, self.error = error.reason, error.message


@dataclass(frozen=True)
class WindowBatch:
    """Windows that pass through AudioCLIP together: (clip, window) in order."""

    role: Role
    members: tuple[tuple[ClipPlan, int], ...]


@dataclass
class Plan:
    """All clips of a run, and under the official protocol its batches of windows."""

    clips: list[ClipPlan]
    window_batches: list[WindowBatch] = field(default_factory=list)

    def usable(self, role: Role) -> list[ClipPlan]:
        """The clips of one folder that nothing speaks against so far."""
        return [clip for clip in self.clips if clip.role == role and not clip.reason]


def plan_whole(generated: Path, reference: Path) -> Plan:
    """Every clip of both folders, once and whole.

    Raises:
        UserError: a folder is missing or without clips.
    """
    return Plan([*_clips(generated, "generated"), *_clips(reference, "reference")])


def plan_made(generated: list[ClipPlan], reference: Path) -> Plan:
    """Clips of our own making, there already or yet to be made, and every clip of a reference folder.

    Raises:
        UserError: the folder is missing or without clips.
    """
    return Plan([*generated, *_clips(reference, "reference")])


def plan_official(generated: Path, reference: Path, n_windows: int, deadline_s: float) -> Plan:
    """Every generated clip, and the windows of both folders that the official loader draws.

    Clips that the official loader could not take are left out before the windows are numbered.

    Args:
        generated: folder of generated clips.
        reference: folder of reference clips.
        n_windows: windows to draw from each folder.
        deadline_s: seconds after which the probing of a file is given up.

    Raises:
        UserError: a folder is missing or without clips.
    """
    plan = plan_whole(generated, reference)
    rng = Random(official_windows.SEED)
    with SafeReader(deadline_s) as reader:
        for role in ("generated", "reference"):
            counts = [(clip, _window_count(clip, reader)) for clip in plan.usable(role)]
            numbered = [(clip, window) for clip, count in counts for window in range(count)]
            order = official_windows.shuffled(range(len(numbered)), rng)
            drawn = [
                WindowBatch(role, tuple(numbered[i] for i in batch))
                for batch in official_windows.batches(order, n_windows)
            ]
            for clip, window in {
                (id(clip), window): (clip, window) for b in drawn for clip, window in b.members
            }.values():
                clip.windows.append(window)
            plan.window_batches += drawn
    for clip in plan.clips:
        clip.windows.sort()
    return plan


def _window_count(clip: ClipPlan, reader: SafeReader) -> int:
    check = check_official_generated if clip.role == "generated" else check_official_reference
    try:
        header = reader(probe_clip, clip.path)
        check(header, str(clip.path))
    except ClipError as error:
        clip.fail(error)
        return 0
    return official_windows.window_count(header.n_frames, header.fps)


def _clips(folder: Path, role: Role) -> list[ClipPlan]:
    clips = [ClipPlan(clip_id(path, folder), path, role) for path in list_clips(folder, role)]
    # CSV files carry a generated clip's stem, so two of one stem would overwrite each other.
    names = Counter(_csv_name(clip) for clip in clips)
    for clip in clips:
        try:
            if names[_csv_name(clip)] > 1:
                raise ClipError(
                    "duplicate_name", f"{clip.path} shares its name with another clip of its folder; rename one."
                )
            check_file(clip.path)
            clip.sha256 = file_sha256(clip.path)
        except ClipError as error:
            clip.fail(error)
        except OSError as error:
            clip.fail(ClipError("unreadable", f"{clip.path} cannot be read ({error.strerror})."))
    return clips


def _csv_name(clip: ClipPlan) -> str:
    return clip.path.stem if clip.role == "generated" else clip.id
