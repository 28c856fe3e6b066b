"""One recording from files to clips, looked at from outside: what the files hold, against the rules as stated."""

import csv
import os
import shutil
import signal
import threading
import time
from fractions import Fraction

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from savg_ray.dataset.build import RecordingJob, build_in_child, build_recording
from savg_ray.dataset.clips import frame_numbers
from savg_ray.dataset.layout import DatasetFiles
from savg_ray.dataset.manifest import read_summary
from savg_ray.dataset.pictures import VideoHeader
from savg_ray.dataset.recordings import find_recordings
from savg_ray.media.reader import read_clip
from savg_ray.media.safe_reader import SafeReader
from savg_ray.spatial.ambisonics import level_difference_db
from savg_ray.spatial.perspective import View
from savg_ray.spatial.screen import true_position
from tests.dataset.recordings import Scene, config_with, files_below, write_recording

NAME = "fold3_room21_mix001"
COARSE = {"first_start_frame": 0, "step_frames": 5, "first_yaw_deg": 0, "yaw_step_deg": 20}


def job_for(root, scene, out, config):
    write_recording(root, "dev-train-sony", NAME, scene)
    (recording,), _ = find_recordings(root, config.splits)
    return RecordingJob(recording, DatasetFiles(out, config.layout), config, "digest")


def kept_rows(out):
    rows = pq.read_table(out / "manifest" / f"{NAME}.parquet").to_pylist()
    return [row for row in rows if row["fate"] == "kept"]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """8 s of speech 30 degrees to the left, with a footstep, a second voice and a pause in some windows."""
    folder = tmp_path_factory.mktemp("built")
    rows = [(f, f // 20 % 2, 1, 30, 5, 200) for f in range(80) if not 65 <= f < 76]
    rows += [(0, 6, 0, 30, 5, 100), (5, 0, 2, 40, 5, 100)]
    config = config_with(windows={"grid": COARSE})
    job = job_for(folder / "starss", Scene(8, azimuth_deg=30, elevation_deg=5, rows=rows), folder / "out", config)
    outcome = build_recording(job)
    assert outcome.reason == ""
    return job, outcome, rows


def test_every_kept_clip_obeys_every_rule(built):
    job, outcome, source = built
    out = job.files.out
    kept = kept_rows(out)
    # Windows 0 and 5 lose to the footstep and the second voice, 30 to the pause; the others have 40 active frames.
    assert sorted({row["start_frame"] for row in kept}) == [10, 15, 20, 25]
    assert len(kept) == outcome.n_kept == 4 * len({row["yaw_deg"] for row in kept})
    assert sorted(path.stem for path in (out / "video_dev").iterdir()) == sorted(row["clip"] for row in kept)
    for row in kept:
        assert row["clip"] == f"{NAME}_deg{row['yaw_deg']:03d}_start{row['start_frame']:04d}"
        with (out / "metadata_dev" / f"{row['clip']}.csv").open() as file:
            labels = [tuple(map(int, line)) for line in csv.reader(file)]
        first = row["start_frame"]
        assert [line[:2] for line in labels] == [(f - first, c) for f, c, *_ in source if first <= f < first + 50]
        frames = [line[0] for line in labels]
        assert len(frames) == len(set(frames)) >= 40
        assert all(0 <= f < 50 and c in (0, 1, 9) and 0 <= x < 256 and 0 <= y < 144 for f, c, x, y in labels)


def test_pictures_sound_and_labels_tell_the_same_place(built):
    job, _, _ = built
    yaws = set()
    for row in kept_rows(job.files.out)[1::4]:
        clip = read_clip(job.files.out / "video_dev" / f"{row['clip']}.mp4")
        assert (clip.frames.shape, clip.fps) == ((20, 256, 256, 3), 4.0)
        assert (clip.waveform.shape, clip.rate_hz) == ((2, 80_000), 16_000)
        assert abs(clip.waveform).max() <= 0.9999
        azimuth = (30 + row["yaw_deg"] + 180) % 360 - 180
        left, right = np.sqrt((clip.waveform**2).mean(axis=1))
        assert 20 * np.log10(left / right) == pytest.approx(level_difference_db(azimuth, 5), abs=0.3)
        labels = np.loadtxt(job.files.out / "metadata_dev" / f"{row['clip']}.csv", delimiter=",")
        x_px, y_px = true_position(azimuth, 5, View())
        assert abs(labels[:, 2] - x_px).max() <= 2
        assert abs(labels[:, 3] - y_px).max() <= 3
        assert not clip.frames[:, :48].any()
        assert not clip.frames[:, 208:].any()
        assert clip.frames[:, 48:55].mean() < 2, "black but for what the codec spills over"
        if abs(azimuth) <= 45:
            y, x = np.nonzero(clip.frames[10].min(axis=2) > 228)
            assert x.mean() == pytest.approx(x_px, abs=5), "pixels of the source are 1.5 degrees wide"
            assert y.mean() - 56 == pytest.approx(y_px, abs=5)
        if abs(azimuth) >= 5:
            assert (left > right) == (azimuth > 0) == (labels[0, 2] < 128)
        yaws.add(row["yaw_deg"])
    assert len(yaws) >= 3


def test_each_picture_is_that_of_its_moment(built):
    job, _, _ = built
    for row in kept_rows(job.files.out)[::7]:
        clip = read_clip(job.files.out / "video_dev" / f"{row['clip']}.mp4")
        # The source shows 10 pictures a second and grows brighter by two levels with each.
        expected = [40 + 2 * round((row["start_frame"] / 10 + k / 4) * 10) for k in range(20)]
        corner = clip.frames[:, 60:70, 5:25].mean(axis=(1, 2, 3))
        np.testing.assert_allclose(corner, expected, atol=2.5)
        assert np.corrcoef(corner, expected)[0, 1] > 0.999


def test_frame_numbers_of_both_presets():
    video = VideoHeader(fps=Fraction(30000, 1001), n_frames=300, width_px=2, height_px=1)
    assert frame_numbers(5, config_with(), video) == [round((0.5 + k / 4) * 30000 / 1001) for k in range(20)]
    assert frame_numbers(7, config_with("dcase2025"), video) == list(range(21, 171))
    assert max(frame_numbers(50, config_with("dcase2025"), video)) == 299


def test_what_is_written_depends_on_nothing_else(built, tmp_path):
    job, _, _ = built
    again = RecordingJob(job.recording, DatasetFiles(tmp_path, "savgbench"), job.config, job.digest)
    # Leftovers of a killed run and of other labels.
    for name in (f"video_dev/.{NAME}_deg000_start0000.mp4.7.part", f"video_dev/{NAME}_deg000_start9999.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"old")
    (tmp_path / "video_dev" / "fold3_room21_mix0010_deg000_start0000.mp4").write_bytes(b"another recording")
    with SafeReader(60) as reader:
        outcome = build_in_child(reader, again)
    assert outcome.n_kept == built[1].n_kept
    written = files_below(tmp_path)
    assert written.pop("video_dev/fold3_room21_mix0010_deg000_start0000.mp4") == b"another recording"
    assert written == files_below(job.files.out)


def test_a_loud_window_is_clipped_where_it_is_loud(tmp_path):
    # W reaches some 0.7 after filter and gain; an ear turned to the source hears twice that.
    config = config_with(windows={"grid": COARSE}, rules={"on_screen": False})
    job = job_for(tmp_path / "starss", Scene(5, azimuth_deg=0, level=0.006), tmp_path / "out", config)
    assert build_recording(job).reason == ""
    fates = {r["yaw_deg"]: r["fate"] for r in pq.read_table(job.files.manifest_part(NAME)).to_pylist()}
    assert fates[0] == fates[180] == "kept"
    assert fates[80] == fates[100] == fates[280] == "clipped"
    unchecked = config_with(windows={"grid": COARSE}, rules={"on_screen": False, "max_peak": None})
    loud = RecordingJob(job.recording, DatasetFiles(tmp_path / "loud", "savgbench"), unchecked, "")
    assert build_recording(loud).n_kept == 18


def test_sound_and_video_of_different_length_share_their_common_part(tmp_path):
    scene = Scene(8, azimuth_deg=0, video_seconds=5.6)
    job = job_for(tmp_path / "starss", scene, tmp_path / "out", config_with(windows={"grid": COARSE}))
    assert build_recording(job).reason == ""
    assert sorted({row["start_frame"] for row in kept_rows(tmp_path / "out")}) == [0, 5]
    (note,) = read_summary(job.files.manifest_part(NAME)).notes
    assert note == f"{NAME}: 8.0 s of sound and 5.6 s of video; the first 5.6 s that both have are used."


def test_the_sibling_layout(tmp_path):
    small = {"width_px": 64, "height_px": 36}
    config = config_with("dcase2025", windows={"random": {"n_clips": 3, "seed": 1}}, pictures=small)
    base = job_for(tmp_path / "starss", Scene(8, azimuth_deg=30), tmp_path / "out", config)
    job = RecordingJob(base.recording, base.files, config, "", draws=((0, 0), (13, 200), (14, 330)))
    assert build_recording(job).n_kept == 3
    out = tmp_path / "out"
    for start, yaw in job.draws:
        name = f"dev-train-sony/{NAME}_deg{yaw:03d}_start{start:04d}"
        sound, rate_hz = soundfile.read(out / "stereo_dev" / f"{name}.wav")
        assert (sound.shape, rate_hz) == ((120_000, 2), 24_000)
        assert soundfile.info(out / "stereo_dev" / f"{name}.wav").subtype == "PCM_16"
        azimuth = (30 + yaw + 180) % 360 - 180
        left, right = np.sqrt((sound**2).mean(axis=0))
        assert 20 * np.log10(left / right) == pytest.approx(level_difference_db(azimuth, 0), abs=0.3)
        lines = (out / "metadata_dev" / f"{name}.csv").read_text().splitlines()
        folded = azimuth if abs(azimuth) <= 90 else (180 if azimuth > 0 else -180) - azimuth
        assert lines[0] == "frame,class,source,azimuth,distance,onscreen"
        assert lines[1:] == [f"{f},0,1,{folded},200,{int(abs(azimuth) <= 50)}" for f in range(50)]

        with av.open(str(out / "video_dev" / f"{name}.mp4")) as container:
            stream = container.streams.video[0]
            assert (stream.width, stream.height, float(stream.average_rate)) == (64, 36, 10.0)
            pictures = [frame.to_ndarray(format="gray").mean() for frame in container.decode(stream)]
            assert not container.streams.audio
        np.testing.assert_allclose(pictures, 40 + 2 * (start + np.arange(50)), atol=3)


def test_old_labels_are_enough_for_pixels_and_not_for_distances(tmp_path):
    scene = Scene(5, azimuth_deg=0, rows=[(f, 0, 1, 0, 0) for f in range(50)])
    job = job_for(tmp_path / "starss", scene, tmp_path / "out", config_with(windows={"grid": COARSE}))
    assert build_recording(job).n_kept == 5
    sibling = RecordingJob(job.recording, DatasetFiles(tmp_path / "b", "dcase2025"), config_with("dcase2025"), "", ())
    outcome = build_recording(sibling)
    assert outcome.reason == "no_distance"
    assert job.recording.labels.name in outcome.message


def kill_child_of(reader):
    """As a decoder that crashes would: from inside the build."""
    while reader._process is None:
        time.sleep(0.01)
    time.sleep(0.2)
    os.kill(reader._process.pid, signal.SIGSEGV)


@pytest.mark.parametrize(("reason", "deadline_s"), [("crashed", 60), ("deadline", 0.05)])
def test_of_a_recording_that_crashes_or_hangs_the_decoder_nothing_is_left(built, tmp_path, reason, deadline_s):
    job = RecordingJob(built[0].recording, DatasetFiles(tmp_path, "savgbench"), built[0].config, "")
    shutil.copytree(built[0].files.out, tmp_path, dirs_exist_ok=True)
    with SafeReader(deadline_s) as reader:
        if reason == "crashed":
            threading.Thread(target=kill_child_of, args=(reader,), daemon=True).start()
        outcome = build_in_child(reader, job)
        assert outcome.reason == reason
        assert outcome.message.startswith(f"{NAME} failed: {job.recording.video} ")
        assert files_below(tmp_path) == {}


def test_a_recording_shorter_than_a_clip_has_no_candidates(tmp_path):
    job = job_for(tmp_path / "starss", Scene(4.9), tmp_path / "out", config_with())
    outcome = build_recording(job)
    assert (outcome.reason, outcome.n_candidates, outcome.n_kept) == ("", 0, 0)
    assert read_summary(job.files.manifest_part(NAME)).notes == [f"{NAME} is shorter than a clip of 5 s."]
