"""A recording's files, in the folders and under the names of STARSS23, with the exact truth beside them."""

import math
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile

from savg_ray.files import written_at_once
from savg_ray.media.writer import SAME_BYTES
from savg_ray.scenes.roster import recording_name
from savg_ray.scenes.script import FPS, RATE_HZ, Scene
from savg_ray.scenes.sounds.sound_field import render_sound
from savg_ray.scenes.truth import Painter, event_table, label_text, person_table, write_table

DISK_FULL = "disk_full"
"""The reason that ends a run: no other recording would fit either."""

_SECONDS_BETWEEN_KEYFRAMES = 1
_CRF = "23"


@dataclass(frozen=True)
class RecordingFiles:
    """The files of one recording.

    Attributes:
        sound: 24 kHz, 16 bit, four channels.
        video: equirectangular H.264, without sound.
        labels: STARSS23's csv.
        people: `person_table`.
        events: `event_table`.
    """

    sound: Path
    video: Path
    labels: Path
    people: Path
    events: Path

    @property
    def all(self) -> tuple[Path, ...]:
        """All of them, in the order of writing."""
        return self.events, self.labels, self.sound, self.people, self.video

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do."""
        return all(path.is_file() for path in self.all)


def recording_files(out: Path, recording: int) -> RecordingFiles:
    """Where the files of a recording belong."""
    name = recording_name(recording)
    truth = out / "truth_dev" / name.part
    return RecordingFiles(
        sound=out / "foa_dev" / name.part / f"{name.stem}.wav",
        video=out / "video_dev" / name.part / f"{name.stem}.mp4",
        labels=out / "metadata_dev" / name.part / f"{name.stem}.csv",
        people=truth / f"{name.stem}.parquet",
        events=truth / f"{name.stem}_events.parquet",
    )


def missing_recordings(out: Path, n_recordings: int) -> list[int]:
    """The numbers of the recordings that a folder lacks, wholly or in part."""
    return [number for number in range(n_recordings) if not recording_files(out, number).complete]


def write_recording(files: RecordingFiles, scene: Scene, painter: Painter, width_px: int) -> None:
    """Write a scene's sound, video, labels and truth; each file appears whole or not at all.

    Args:
        files: where to.
        scene: what to write.
        painter: of this scene; its pictures are width_px x width_px / 2.
        width_px: a multiple of 4, since H.264 halves both sides of a picture twice as wide as high.
    """
    for path in files.all:
        path.parent.mkdir(parents=True, exist_ok=True)
        # What a killed run left behind.
        for part in path.parent.glob(f".{path.name}.*.part"):
            part.unlink()
    events = event_table(scene)
    with written_at_once(files.events) as path:
        write_table(path, events)
    with written_at_once(files.labels) as path:
        path.write_text(label_text(events))
    with written_at_once(files.sound) as path:
        _write_sound(path, render_sound(scene))
    with written_at_once(files.people) as path:
        write_table(path, person_table(scene, painter))
    with written_at_once(files.video) as path:
        _write_video(path, scene.duration_s, painter, width_px)


def _write_sound(path: Path, field: np.ndarray) -> None:
    """16-bit PCM; half a step of rounding error is below the ambience of any room."""
    pcm = np.clip(np.rint(field.T * 32768.0), -32768, 32767).astype(np.int16)
    soundfile.write(str(path), pcm, RATE_HZ, subtype="PCM_16", format="WAV")


def _write_video(path: Path, duration_s: float, painter: Painter, width_px: int) -> None:
    """H.264 at 30000/1001 pictures per second, at least as long as the sound; the same bytes each time."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width_px, width_px // 2, "yuv420p"
        # One thread: how many there are would decide the bytes.
        stream.codec_context.thread_count = 1
        between = str(math.ceil(_SECONDS_BETWEEN_KEYFRAMES * FPS))
        stream.options = {"crf": _CRF, "preset": "veryfast", "g": between, "keyint_min": between, **SAME_BYTES}
        for number in range(math.ceil(duration_s * FPS)):
            picture = painter.paint(float(number / FPS))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
