import os
import subprocess
import sys

import numpy as np
import pytest

from savg_ray.clips import Clip
from savg_ray.media.reader import probe_clip, read_clip
from savg_ray.media.writer import write_clip
from tests.media.files import write_media

RATE_HZ = 16000
FRAMES = np.zeros((20, 32, 32, 3), np.uint8)
LEFT_GAIN, RIGHT_GAIN = 1.5, 0.5
EXPECTED_DB = 20 * np.log10(LEFT_GAIN / RIGHT_GAIN)


def tone(n):
    return 0.3 * np.sin(2 * np.pi * 440 * np.arange(n) / RATE_HZ) * (np.arange(n) // 4000 % 3 > 0)


def noise(n):
    return np.random.default_rng(0).normal(0, 0.1, n)


def panned(mono):
    return np.stack([LEFT_GAIN * mono, RIGHT_GAIN * mono]).astype(np.float32)


def lag(sound, source):
    """By how many samples a sound comes after its source, by cross-correlation."""
    size = 2 * len(source)
    correlation = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(source, size).conj(), size)
    peak = int(correlation.argmax())
    return peak - size if peak > len(source) else peak


def level_difference_db(waveform):
    return 10 * np.log10((waveform[0] ** 2).mean() / (waveform[1] ** 2).mean())


@pytest.mark.parametrize("sound", [tone, noise])
@pytest.mark.parametrize("n", [80000, 79872, 80001, 51200])
def test_aac_sound_comes_back_whole_in_time_and_with_its_levels(tmp_path, sound, n):
    source = panned(sound(n))
    write_clip(tmp_path / "a.mp4", Clip("a", FRAMES, 4.0, source, RATE_HZ), audio_codec="aac")
    clip = read_clip(tmp_path / "a.mp4")
    assert clip.waveform.shape == (2, n)
    assert abs(lag(clip.waveform[0], source[0])) <= 1
    assert level_difference_db(clip.waveform) == pytest.approx(EXPECTED_DB, abs=0.02)
    residue = clip.waveform - source
    assert (source**2).mean() / (residue**2).mean() > 100
    assert (probe_clip(tmp_path / "a.mp4").channels, probe_clip(tmp_path / "a.mp4").rate_hz) == (2, RATE_HZ)


@pytest.mark.parametrize("rate_hz", [16000, 44100, 48000])
def test_aac_padding_is_cut_at_every_rate(tmp_path, rate_hz):
    source = np.random.default_rng(1).uniform(-0.2, 0.2, (2, 3 * rate_hz)).astype(np.float32)
    write_clip(tmp_path / "a.mp4", Clip("a", FRAMES, 4.0, source, rate_hz), audio_codec="aac")
    assert read_clip(tmp_path / "a.mp4").waveform.shape == source.shape


@pytest.mark.parametrize("audio_codec", ["flac", "mp3"])
def test_no_other_sound_is_cut(tmp_path, audio_codec):
    source = panned(noise(80000))
    write_clip(tmp_path / "a.mp4", Clip("a", FRAMES, 4.0, source, RATE_HZ), audio_codec=audio_codec)
    assert read_clip(tmp_path / "a.mp4").waveform.shape[1] >= 80000


def test_aac_without_a_duration_is_read_to_its_last_block(tmp_path):
    path = write_media(tmp_path / "a.mkv", FRAMES, panned(noise(80000)), codec="aac", file_format="matroska")
    assert 80000 <= read_clip(path).waveform.shape[1] <= 80896 + 1024


WRITES = """
import sys
from pathlib import Path
import numpy as np
from savg_ray.clips import Clip
from savg_ray.media.writer import write_clip
noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
frames = np.stack([np.roll(np.tile(noise, (4, 8, 1))[:240, :480], 3 * i, axis=1) for i in range(6)])
write_clip(Path(sys.argv[1]), Clip("a", frames, 4.0, np.zeros((2, 24000), np.float32), 16000))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone fills memory on request")
def test_bytes_do_not_depend_on_what_memory_held_before(tmp_path):
    """With x264's macroblock tree they do, in pictures whose rows are no multiple of 16 macroblocks."""
    contents = set()
    for filled_with in ("0", "1"):
        path = tmp_path / f"{filled_with}.mp4"
        environment = {**os.environ, "MALLOC_PERTURB_": filled_with}
        subprocess.run([sys.executable, "-c", WRITES, str(path)], env=environment, check=True)
        contents.add(path.read_bytes())
    assert len(contents) == 1
