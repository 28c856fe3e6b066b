import numpy as np
import pytest

from savg_ray.scenes.chance import generator
from savg_ray.scenes.script import RATE_HZ
from savg_ray.scenes.sounds.instruments import cowbell_note, guitar_note, marimba_note, music
from savg_ray.scenes.sounds.struck import add_note, plucked
from tests.scenes.sounds.heard import loudness, rms


def peak_hz(sound, low_hz, high_hz):
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 2**19))
    hz = np.fft.rfftfreq(2**19, 1 / RATE_HZ)
    band = (hz > low_hz) & (hz < high_hz)
    return hz[band][np.argmax(spectrum[band])]


def cents(found_hz, wanted_hz):
    return 1200 * abs(np.log2(found_hz / wanted_hz))


@pytest.mark.parametrize("pitch_hz", [82.41, 110.0, 146.83, 246.94, 329.63, 440.0])
def test_strings_are_in_tune_and_die_away(pitch_hz):
    note = guitar_note(pitch_hz, 1.5, generator(1))
    assert cents(peak_hz(note, 0.8 * pitch_hz, 1.2 * pitch_hz), pitch_hz) < 3
    thirds = [rms(part) for part in np.split(note, 3)]
    assert thirds[0] > 2 * thirds[1] > 4 * thirds[2] > 0
    assert np.abs(note).max() < 1.5


def test_strings_get_duller_while_they_ring():
    note = plucked(196.0, 3.0, 2.0, generator(2))
    early, late = (np.abs(np.fft.rfft(note[start : start + 4800])) for start in (0, 24000))
    high = np.fft.rfftfreq(4800, 1 / RATE_HZ) > 1500
    assert rms(late[high]) / rms(late[~high]) < 0.3 * rms(early[high]) / rms(early[~high])


@pytest.mark.parametrize("pitch_hz", [196.0, 440.0, 880.0])
def test_marimba_bars_ring_at_their_modes(pitch_hz):
    note = marimba_note(pitch_hz, 1.0)
    assert cents(peak_hz(note, 0.8 * pitch_hz, 1.2 * pitch_hz), pitch_hz) < 3
    assert cents(peak_hz(note, 3.5 * pitch_hz, 4.3 * pitch_hz), 3.93 * pitch_hz) < 10
    assert rms(note[:2400]) > 10 * rms(note[-2400:])


def test_a_cowbell_has_two_strong_modes():
    note = cowbell_note(560.0, 0.5)
    assert cents(peak_hz(note, 500, 650), 560) < 10
    assert cents(peak_hz(note, 700, 1000), 1.48 * 560) < 10


@pytest.mark.parametrize(("instrument", "low_hz", "high_hz"), [
    ("guitar", 200, 3000), ("marimba", 200, 1500), ("cowbell", 500, 3000), ("rattle", 3000, 8000),
])  # fmt: skip
def test_music_starts_at_once_goes_on_and_sounds_like_its_instrument(instrument, low_hz, high_hz):
    sound = music(instrument, 6.0, 3)
    assert len(sound) == 6 * RATE_HZ and np.isfinite(sound).all()
    loud = loudness(sound)
    assert loud[:10].max() > 0.2 * np.percentile(loud, 95)
    assert all(part.max() > 0.2 * np.percentile(loud, 95) for part in np.split(loud, 6))
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    centre_hz = (spectrum * np.fft.rfftfreq(len(sound), 1 / RATE_HZ)).sum() / spectrum.sum()
    assert low_hz < centre_hz < high_hz
    # Strokes: the level rises and falls, again and again.
    assert np.sum(np.diff(np.sign(np.diff(np.convolve(loud, np.ones(5) / 5, "valid")))) < 0) > 6
    np.testing.assert_array_equal(sound, music(instrument, 6.0, 3))
    assert not np.array_equal(sound, music(instrument, 6.0, 4))


def test_notes_are_cut_where_the_track_ends():
    track = np.zeros(100)
    add_note(track, 90 / RATE_HZ, np.ones(50), 0.5)
    add_note(track, 200 / RATE_HZ, np.ones(50))
    assert track.sum() == 5.0 and not track[:90].any()
