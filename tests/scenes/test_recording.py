"""The files of a recording, with a painter that stands in for the real one."""

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from savg_ray.dataset.recordings import find_recordings
from savg_ray.scenes.compose import compose_scene
from savg_ray.scenes.recording import missing_recordings, recording_files, write_recording
from savg_ray.scenes.script import FPS
from savg_ray.scenes.sounds.sound_field import render_sound
from savg_ray.scenes.truth import event_table, label_text
from savg_ray.spatial.ambisonics import stereo
from tests.scenes.pictures.pictured import person_at
from tests.scenes.sounds.heard import GreyPainter, anechoic, grey_at, place_at, ringing_at, rms

WIDTH_PX = 128


def write(out, recording, scene):
    files = recording_files(out, recording)
    write_recording(files, scene, GreyPainter(scene, WIDTH_PX, WIDTH_PX // 2), WIDTH_PX)
    return files


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("written")
    scene = compose_scene(1, 2, 4.0)
    return out, scene, write(out, 2, scene)


def test_folders_and_names_are_those_of_starss23(written):
    out, _, files = written
    assert sorted(path.relative_to(out).as_posix() for path in files.all) == [
        "foa_dev/dev-train-tau/fold3_room4_mix001.wav",
        "metadata_dev/dev-train-tau/fold3_room4_mix001.csv",
        "truth_dev/dev-train-tau/fold3_room4_mix001.parquet",
        "truth_dev/dev-train-tau/fold3_room4_mix001_events.parquet",
        "video_dev/dev-train-tau/fold3_room4_mix001.mp4",
    ]
    assert sorted(out.rglob("*.*")) == sorted(files.all)
    found, problems = find_recordings(out, {"dev": ("dev-train-tau",)})
    assert [recording.name for recording in found] == ["fold3_room4_mix001"] and not problems


def test_the_sound_is_that_of_the_scene(written):
    _, scene, files = written
    header = soundfile.info(str(files.sound))
    assert (header.channels, header.samplerate, header.subtype, header.frames) == (4, 24000, "PCM_16", 96000)
    samples, _ = soundfile.read(str(files.sound))
    assert np.abs(samples.T - render_sound(scene)).max() <= 0.5001 / 32768


def test_labels_and_truth_are_those_of_the_scene(written):
    _, scene, files = written
    assert files.labels.read_text() == label_text(event_table(scene)) != ""
    assert pq.read_table(files.events).equals(event_table(scene))
    people = pq.read_table(files.people)
    assert people.num_rows == 40 * len(scene.people)


def test_the_video_is_that_of_the_painter(written):
    _, _, files = written
    with av.open(str(files.video)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, stream.average_rate) == (WIDTH_PX, WIDTH_PX // 2, FPS)
        pictures = list(container.decode(video=0))
    assert len(pictures) == 120
    keys = [number for number, picture in enumerate(pictures) if picture.key_frame]
    assert keys[0] == 0 and np.diff([*keys, 120]).max() <= 30
    for number in range(0, 120, 13):
        assert pictures[number].time == pytest.approx(number / FPS, abs=1e-4)
        middle = pictures[number].to_ndarray(format="rgb24")[16, 32]
        np.testing.assert_allclose(middle, grey_at(float(number / FPS)), atol=3)


def test_a_second_writing_gives_the_same_bytes(written, tmp_path):
    _, scene, files = written
    again = write(tmp_path, 2, scene)
    for path, other in zip(files.all, again.all, strict=True):
        assert path.read_bytes() == other.read_bytes(), path.name


@pytest.mark.parametrize("azimuth_deg", [-60, -35, -10, 0, 20, 45, 70])
@pytest.mark.parametrize("elevation_deg", [-15, 0, 25])
def test_level_difference_in_the_written_file(tmp_path, azimuth_deg, elevation_deg):
    scene = anechoic(ringing_at(place_at(azimuth_deg, elevation_deg, 1.6)))
    samples, _ = soundfile.read(str(write(tmp_path, 0, scene).sound))
    left, right = (rms(channel) for channel in stereo(samples.T))
    side = np.sin(np.radians(azimuth_deg)) * np.cos(np.radians(elevation_deg))
    assert 20 * np.log10(left / right) == pytest.approx(20 * np.log10((1 + side) / (1 - side)), abs=0.1)


def test_what_is_missing_is_known_and_leftovers_are_removed(tmp_path):
    assert missing_recordings(tmp_path, 3) == [0, 1, 2]
    scene = anechoic(people=(person_at(0, 2),), duration_s=0.5)
    files = write(tmp_path, 1, scene)
    assert missing_recordings(tmp_path, 3) == [0, 2]
    files.video.unlink()
    leftover = files.video.with_name(f".{files.video.name}.1.part")
    leftover.touch()
    assert missing_recordings(tmp_path, 3) == [0, 1, 2]
    write(tmp_path, 1, scene)
    assert not leftover.exists() and files.complete
