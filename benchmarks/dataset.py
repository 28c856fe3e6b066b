"""What building a dataset costs, against doing every clip by itself."""

import json
import resource
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import av
import cv2
import numpy as np
import py360convert
import pyarrow.parquet as pq
import soundfile
import typer

from jobs.command import run_command
from savg_ray.dataset.annotations import read_annotations
from savg_ray.dataset.build import RecordingJob, build_in_child
from savg_ray.dataset.clip_files import PictureMaker, view_of
from savg_ray.dataset.config import DatasetConfig, load_dataset_config
from savg_ray.dataset.labels import write_pixel_labels
from savg_ray.dataset.layout import DatasetFiles, clip_name
from savg_ray.dataset.recordings import Recording, find_recordings
from savg_ray.dataset.sound import SOURCE_RATE_HZ, finished, read_ambisonics
from savg_ray.errors import UserError
from savg_ray.media.safe_reader import SafeReader
from savg_ray.media.writer import write_mp4
from savg_ray.spatial.ambisonics import encode_gains, rotate_yaw, stereo

_FPS = Fraction(30000, 1001)
_WIDTH_PX, _HEIGHT_PX = 1920, 960


def dataset(
    recordings: Annotated[Path | None, typer.Option(help="A STARSS23 folder; its first recording is built.")] = None,
    seconds: Annotated[float, typer.Option(min=6, help="Length of the recording that is made otherwise.")] = 30.0,
    naive_clips: Annotated[int, typer.Option(min=1, help="Clips to make the naive way.")] = 5,
) -> None:
    """Build one recording with preset savgbench, make some of its clips the naive way, print one line of JSON."""
    cv2.setNumThreads(1)
    config = load_dataset_config("savgbench")
    with tempfile.TemporaryDirectory() as folder:
        root = recordings or _made_recording(Path(folder) / "recordings", seconds)
        found, _ = find_recordings(root, config.splits)
        if not found:
            raise UserError(f"{root} has no recording that is complete; name another with --recordings.")
        recording, files = found[0], DatasetFiles(Path(folder) / "out", config.layout)
        record = _measured(recording, files, config)
        clips = _kept(files, recording)
        chosen = [clips[i] for i in np.linspace(0, len(clips) - 1, min(naive_clips, len(clips))).astype(int)]
        (Path(folder) / "naive").mkdir()
        started, started_cpu = time.perf_counter(), time.process_time()
        for start, yaw in chosen:
            naive_clip(recording, start, yaw, config, Path(folder) / "naive")
        naive_s = (time.perf_counter() - started) / len(chosen)
        naive_cpu_s = (time.process_time() - started_cpu) / len(chosen)
        record |= {"naive_clips": len(chosen), "naive_s_per_clip": round(naive_s, 4)}
        record |= {"naive_cpu_s_per_clip": round(naive_cpu_s, 4)}
        record["times_faster"] = round(naive_s / record["s_per_clip"], 1)
        record["times_less_cpu"] = round(naive_cpu_s / record["cpu_s_per_clip"], 1)
        print(json.dumps(record))


def _measured(recording: Recording, files: DatasetFiles, config: DatasetConfig) -> dict[str, object]:
    started = time.perf_counter()
    with SafeReader(config.recording_deadline_s) as reader:
        outcome = build_in_child(reader, RecordingJob(recording, files, config, digest=""))
    wall_s = time.perf_counter() - started
    if outcome.reason or not outcome.n_kept:
        raise UserError(outcome.message or f"No clip of {recording.name} obeys the rules; name another recording.")
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    length_s = soundfile.info(str(recording.sound)).duration
    return {
        "part": "dataset",
        "recording_s": round(length_s, 1),
        "candidates": outcome.n_candidates,
        "clips": outcome.n_kept,
        "wall_s": round(wall_s, 2),
        "s_per_clip": round(wall_s / outcome.n_kept, 4),
        "cpu_s_per_clip": round((usage.ru_utime + usage.ru_stime) / outcome.n_kept, 4),
        "peak_rss_mib": round(usage.ru_maxrss / 1024),
    }


def _kept(files: DatasetFiles, recording: Recording) -> list[tuple[int, int]]:
    rows = pq.read_table(files.manifest_part(recording.name), columns=["start_frame", "yaw_deg", "fate"]).to_pylist()
    return [(row["start_frame"], row["yaw_deg"]) for row in rows if row["fate"] == "kept"]


def naive_clip(recording: Recording, start_frame: int, yaw_deg: int, config: DatasetConfig, out: Path) -> None:
    """One clip by itself, step by step as the data set is described; one thread as well."""
    start_s, view = start_frame / 10, view_of(config)
    make_picture, pictures = PictureMaker(config), []
    with av.open(str(recording.video)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        fps = float(stream.average_rate)
        wanted = {round((start_s + k / 4) * fps) for k in range(20)}
        container.seek(int(max(0.0, start_s - 0.5) / stream.time_base), stream=stream)
        for frame in container.decode(stream):
            number = round(float(frame.pts * stream.time_base) * fps)
            if number in wanted:
                fov_deg = (view.hfov_deg, view.vfov_deg)
                size = (view.height_px, view.width_px)
                picture = frame.to_ndarray(format="rgb24")
                flat = py360convert.e2p(picture, fov_deg, yaw_deg if yaw_deg <= 180 else yaw_deg - 360, 0, size)
                pictures.append(make_picture(flat.astype(np.uint8)))
            if number >= max(wanted):
                break
    ambisonics = read_ambisonics(recording.sound, start_s, config.window_s)
    waveform = finished(stereo(rotate_yaw(ambisonics, yaw_deg)), config.sound)
    name = clip_name(recording.name, start_frame, yaw_deg)
    codec = config.sound.codec
    write_mp4(out / f"{name}.mp4", pictures, Fraction(4), waveform, config.sound.rate_hz, codec, speed="veryfast")
    rows = read_annotations(recording.labels).between(start_frame, start_frame + 50)
    write_pixel_labels(out / f"{name}.csv", rows, yaw_deg, view)


def _made_recording(root: Path, seconds: float) -> Path:
    """Somebody who speaks and walks slowly from right to left before a turning, textured wall."""
    paths = {name: root / f"{name}_dev" / "dev-train-sony" for name in ("foa", "video", "metadata")}
    for path in paths.values():
        path.mkdir(parents=True)
    name = "fold3_room21_mix001"
    rng = np.random.default_rng(0)
    n_samples = int(seconds * SOURCE_RATE_HZ)
    azimuth = np.linspace(-30, 30, n_samples)
    foa = encode_gains(azimuth, 0 * azimuth) * 0.002 * rng.uniform(-1, 1, n_samples)
    soundfile.write(str(paths["foa"] / f"{name}.wav"), foa.T, SOURCE_RATE_HZ, subtype="PCM_16")
    by_frame = np.rint(np.linspace(-30, 30, int(seconds * 10))).astype(int)
    lines = [f"{frame},0,1,{degrees},0,200\n" for frame, degrees in enumerate(by_frame)]
    (paths["metadata"] / f"{name}.csv").write_text("".join(lines))
    _write_wall(paths["video"] / f"{name}.mp4", int(seconds * _FPS), rng)
    return root


def _write_wall(path: Path, n_frames: int, rng: np.random.Generator) -> None:
    wall = cv2.GaussianBlur(rng.integers(0, 256, (_HEIGHT_PX, _WIDTH_PX, 3), np.uint8), (0, 0), 3)
    wall = cv2.normalize(wall, None, 0, 255, cv2.NORM_MINMAX)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=_FPS)
        stream.width, stream.height, stream.pix_fmt = _WIDTH_PX, _HEIGHT_PX, "yuv420p"
        stream.options = {"crf": "23", "preset": "veryfast"}
        for i in range(n_frames):
            picture = np.roll(wall, i, axis=1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    run_command(dataset)
