import hashlib
import os

import numpy as np
import pytest

from savg_ray.errors import ClipError
from savg_ray.media.reader import check_file, probe_clip, read_clip, read_picture, read_pictures, read_sound
from savg_ray.media.resample import pcm16
from savg_ray.media.writer import write_clip
from savg_ray.scenes.walker import walker_clip
from tests.media.files import write_media
from tests.samples import joint_sample
from tests.toys import golden_json

CLIP = walker_clip("walker", 1)
LOADER = golden_json("d_loader.json")["videos"]


def reason_of(call, *args):
    with pytest.raises(ClipError) as caught:
        call(*args)
    assert str(args[0]) in caught.value.message
    return caught.value.reason


@pytest.mark.parametrize("name", list(LOADER))
def test_official_samples_decode_bit_for_bit(name):
    golden = LOADER[name]
    clip = read_clip(joint_sample(name))
    assert clip.fps == golden["fps"]
    assert hashlib.sha256(clip.frames.tobytes()).hexdigest() == golden["frames_sha256"]
    for rate_hz, key in ((16000, "pcm16k"), (44100, "pcm44k1")):
        pcm = pcm16(clip.waveform, clip.rate_hz, rate_hz)
        assert list(pcm.shape) == golden[f"{key}_s16_shape"]
        assert hashlib.sha256(pcm.tobytes()).hexdigest() == golden[f"{key}_s16_sha256"]
    assert probe_clip(joint_sample(name)) == clip.header


def test_what_is_written_is_read_back(tmp_path):
    write_clip(tmp_path / "a.mp4", CLIP)
    clip = read_clip(tmp_path / "a.mp4")
    assert clip.header == CLIP.header == probe_clip(tmp_path / "a.mp4")
    assert clip.id == "a"
    np.testing.assert_allclose(clip.waveform, CLIP.waveform, atol=0.5 / 32768 + 1e-7)
    mean_square = np.mean((clip.frames.astype(float) - CLIP.frames) ** 2)
    assert 10 * np.log10(255**2 / mean_square) > 35
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_sound_alone_is_the_same_sound(tmp_path):
    write_clip(tmp_path / "a.mp4", CLIP)
    waveform, rate_hz = read_sound(tmp_path / "a.mp4")
    np.testing.assert_array_equal(waveform, read_clip(tmp_path / "a.mp4").waveform)
    assert rate_hz == CLIP.rate_hz
    assert reason_of(read_sound, write_media(tmp_path / "film.mp4", CLIP.frames, None)) == "no_audio"


def test_the_first_pictures_alone_are_the_same_pictures(tmp_path):
    film = write_media(tmp_path / "film.mp4", CLIP.frames, None, 10.0)
    write_clip(tmp_path / "a.mp4", CLIP)
    frames, fps = read_pictures(tmp_path / "a.mp4", 3.0)
    assert fps == 4.0
    np.testing.assert_array_equal(frames, read_clip(tmp_path / "a.mp4").frames[:12])
    assert [len(read_pictures(film, duration_s)[0]) for duration_s in (0.1, 0.11, 0.8, 9.0)] == [1, 2, 8, 20]
    assert reason_of(read_pictures, write_media(tmp_path / "radio.mp4", None, CLIP.waveform), 1.0) == "no_video"


def several_key_frames(path):
    return write_media(path, CLIP.frames, CLIP.waveform, 30.0, options={"g": "6", "keyint_min": "6"})


@pytest.mark.parametrize("write", [lambda path: write_clip(path, CLIP), several_key_frames])
def test_a_picture_alone_is_the_same_picture(tmp_path, write):
    path = tmp_path / "a.mp4"
    write(path)
    frames = read_clip(path).frames
    assert len({frame.tobytes() for frame in frames}) == len(frames) == 20
    for number, frame in enumerate(frames):
        np.testing.assert_array_equal(read_picture(path, lambda n, number=number: number), frame)
    np.testing.assert_array_equal(read_picture(path, lambda n: n - 1), frames[-1])


def test_a_picture_alone_of_a_damaged_file_is_right_or_refused(tmp_path):
    write_clip(tmp_path / "whole.mp4", CLIP)
    frames = read_clip(tmp_path / "whole.mp4").frames
    (tmp_path / "a.mp4").write_bytes(damaged((tmp_path / "whole.mp4").read_bytes()))
    refused = []
    for number, frame in enumerate(frames):
        try:
            found = read_picture(tmp_path / "a.mp4", lambda n, number=number: number)
        except ClipError as error:
            assert (error.reason, "a.mp4" in error.message) == ("truncated", True)
            refused.append(number)
        else:
            np.testing.assert_array_equal(found, frame)
    # Whether pictures before the damage, in a third of the file, can be had depends on how far ahead it is decoded.
    assert set(range(10, 20)) <= set(refused)


def test_a_picture_alone_needs_no_sound_and_names_what_is_no_film(tmp_path):
    film = write_media(tmp_path / "film.mp4", CLIP.frames, None)
    assert read_picture(film, lambda n: n // 2).shape == (256, 256, 3)
    (tmp_path / "text.mp4").write_text("not a film")
    assert reason_of(read_picture, tmp_path / "text.mp4", int) == "not_media"
    assert reason_of(read_picture, tmp_path / "nothing.mp4", int) == "missing"
    assert reason_of(read_picture, write_media(tmp_path / "radio.mp4", None, CLIP.waveform), int) == "no_video"


def test_mp3_sound_as_in_the_official_files(tmp_path):
    write_clip(tmp_path / "a.mp4", CLIP, audio_codec="mp3")
    clip = read_clip(tmp_path / "a.mp4")
    n = CLIP.waveform.shape[1]
    assert abs(clip.waveform.shape[1] - n) < 1200
    assert np.corrcoef(clip.waveform[0, :n], CLIP.waveform[0])[0, 1] > 0.98


def test_writing_refuses_what_an_mp4_cannot_hold(tmp_path):
    odd = walker_clip("odd", 1)
    with pytest.raises(ValueError, match="even sizes"):
        write_clip(tmp_path / "a.mp4", type(odd)("odd", odd.frames[:, :101], 4.0, odd.waveform, 16000))
    with pytest.raises(ValueError, match="two channels"):
        write_clip(tmp_path / "a.mp4", type(odd)("mono", odd.frames, 4.0, odd.waveform[:1], 16000))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("read", [read_clip, probe_clip])
def test_missing_streams(tmp_path, read):
    silent_film = write_media(tmp_path / "film.mp4", CLIP.frames, None)
    radio = write_media(tmp_path / "radio.mp4", None, CLIP.waveform)
    assert reason_of(read, silent_film) == "no_audio"
    assert reason_of(read, radio) == "no_video"


def test_an_audio_stream_of_length_zero(tmp_path):
    path = write_media(tmp_path / "a.mp4", CLIP.frames, CLIP.waveform[:, :0], codec="pcm_s16le", file_format="mov")
    assert reason_of(read_clip, path) in ("empty_audio", "no_audio")


def test_nan_in_the_sound(tmp_path):
    waveform = CLIP.waveform.copy()
    waveform[1, 777] = np.nan
    path = write_media(tmp_path / "a.mp4", CLIP.frames, waveform, codec="pcm_f32le", file_format="mov")
    assert reason_of(read_clip, path) == "nan_audio"


@pytest.mark.parametrize("kept", [0.3, 0.97])
def test_truncated_files(tmp_path, kept):
    write_clip(tmp_path / "whole.mp4", CLIP)
    data = (tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: int(len(data) * kept)])
    assert reason_of(read_clip, tmp_path / "cut.mp4") in ("truncated", "not_media")


def damaged(data):
    start = len(data) // 3
    return data[:start] + b"\xff" * 3000 + data[start + 3000 :]


def test_damage_in_the_middle(tmp_path):
    write_clip(tmp_path / "whole.mp4", CLIP)
    (tmp_path / "damaged.mp4").write_bytes(damaged((tmp_path / "whole.mp4").read_bytes()))
    assert reason_of(read_clip, tmp_path / "damaged.mp4") == "truncated"


def test_things_that_are_no_clips(tmp_path):
    (tmp_path / "text.mp4").write_text("not a film")
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "folder.mp4").mkdir()
    os.mkfifo(tmp_path / "pipe.mp4")
    assert reason_of(read_clip, tmp_path / "text.mp4") == "not_media"
    assert reason_of(read_clip, tmp_path / "empty.mp4") == "empty_file"
    assert reason_of(read_clip, tmp_path / "folder.mp4") == "not_a_file"
    assert reason_of(read_clip, tmp_path / "pipe.mp4") == "not_a_file"
    assert reason_of(read_clip, tmp_path / "nothing.mp4") == "missing"


def test_a_file_without_permission(tmp_path, monkeypatch):
    path = tmp_path / "secret.mp4"
    path.write_bytes(b"x")
    monkeypatch.setattr(os, "access", lambda *_: False)  # the suite may run as root, whom no mode bits stop
    assert reason_of(check_file, path) == "unreadable"


def test_other_forms_are_read_as_they_are(tmp_path):
    path = write_media(tmp_path / "a.mp4", CLIP.frames[:, :101, :77], np.repeat(CLIP.waveform, 3, 1), 30.0, 48000)
    header = read_clip(path).header
    assert (header.height_px, header.width_px, header.fps, header.rate_hz) == (101, 77, 30.0, 48000)
    assert probe_clip(path) == header
