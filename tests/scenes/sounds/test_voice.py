import numpy as np
import pytest

from savg_ray.scenes.chance import generator
from savg_ray.scenes.script import RATE_HZ
from savg_ray.scenes.sounds.voice import laughter, speech, voiced_sound
from savg_ray.scenes.sounds.voice_score import Score, Voice, voice_of
from tests.scenes.sounds.heard import loudness, pitches_hz


@pytest.mark.parametrize(("sex", "low_hz", "high_hz"), [(0, 160, 250), (1, 90, 145)])
@pytest.mark.parametrize("look", [1, 2, 3])
def test_speech_has_the_pitch_of_its_voice(sex, low_hz, high_hz, look):
    voice = voice_of(sex, look)
    pitch_hz = pitches_hz(speech(voice, 4.0, 8))
    assert len(pitch_hz) > 60
    assert np.median(pitch_hz) == pytest.approx(voice.pitch_hz, rel=0.08)
    assert low_hz < np.percentile(pitch_hz, 10) < np.percentile(pitch_hz, 90) < high_hz


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("sex", [0, 1])
def test_speech_comes_in_syllables_without_long_gaps(sex, seed):
    loud = loudness(speech(voice_of(sex, 4), 10.0, seed))
    power = np.abs(np.fft.rfft((loud - loud.mean()) * np.hanning(len(loud)))) ** 2
    rate_hz = np.fft.rfftfreq(len(loud), 0.01)
    assert 2 < rate_hz[1:][np.argmax(power[1:])] < 8
    assert power[(rate_hz > 2) & (rate_hz < 8)].sum() > 0.5 * power[rate_hz > 0.3].sum()
    silent = np.concatenate([[0], (loud < 0.03 * np.percentile(loud, 95)).astype(int), [0]])
    starts, ends = np.flatnonzero(np.diff(silent) == 1), np.flatnonzero(np.diff(silent) == -1)
    assert (ends - starts).max() <= 30


@pytest.mark.parametrize("formants_hz", [(270, 2290, 3010, 3500, 4500), (730, 1090, 2440, 3500, 4500)])
def test_formants_are_where_the_score_says(formants_hz):
    n = 401
    held = Score(
        np.full(n, 50.0), np.ones(n), np.zeros(n), np.zeros((3, n)), np.tile(np.float64(formants_hz), (n, 1))
    )
    sound = voiced_sound(Voice(1, 50.0, 1.0, 0.0), held, 2.0, generator(0))
    spectrum = np.abs(np.fft.rfft(sound[RATE_HZ:]))
    # One second: harmonics lie on whole multiples of 50 bins; the source falls by 6 dB an octave.
    harmonics = np.array([spectrum[50 * k - 2 : 50 * k + 3].max() * k for k in range(1, 120)])
    peaks_hz = [50 * (k + 1) for k in range(1, 118) if harmonics[k] > max(harmonics[k - 1], harmonics[k + 1])]
    for formant_hz in formants_hz[:3]:
        assert min(abs(peak - formant_hz) for peak in peaks_hz) <= 60, (formant_hz, peaks_hz)


def test_vowels_glide():
    """The strongest region between 800 and 2600 Hz moves about, as the second formant does."""
    sound = speech(voice_of(1, 1), 6.0, 3)
    frames = sound[: len(sound) // 960 * 960].reshape(-1, 960) * np.hanning(960)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    hz = np.fft.rfftfreq(960, 1 / RATE_HZ)
    band = (hz > 800) & (hz < 2600)
    loud = frames.std(axis=1) > 0.5 * sound.std()
    second_hz = (power[:, band] * hz[band]).sum(1)[loud] / power[:, band].sum(1)[loud]
    assert np.percentile(second_hz, 90) - np.percentile(second_hz, 10) > 400


def test_speech_has_hisses_and_hums():
    sound = speech(voice_of(0, 1), 8.0, 3)
    frames = sound[: len(sound) // 480 * 480].reshape(-1, 480) * np.hanning(480)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    hz = np.fft.rfftfreq(480, 1 / RATE_HZ)
    power = power[frames.std(axis=1) > 0.1 * sound.std()]
    high_share = power[:, hz > 3000].sum(1) / power.sum(1)
    assert 0.05 < np.mean(high_share > 0.5) < 0.35
    assert np.mean(high_share < 0.1) > 0.4


def test_a_voice_belongs_to_a_look_and_a_sound_to_a_seed():
    assert voice_of(0, 5) == voice_of(0, 5) != voice_of(0, 6)
    voice = voice_of(1, 5)
    np.testing.assert_array_equal(speech(voice, 1.0, 2), speech(voice, 1.0, 2))
    assert not np.allclose(speech(voice, 1.0, 2), speech(voice, 1.0, 3))


def test_laughter_is_high_and_comes_in_bursts():
    voice = voice_of(0, 2)
    sound = laughter(voice, 3.0, 1)
    assert len(sound) == 3 * RATE_HZ
    assert np.median(pitches_hz(sound)) > 1.05 * voice.pitch_hz
    loud = loudness(sound)
    power = np.abs(np.fft.rfft((loud - loud.mean()) * np.hanning(len(loud)))) ** 2
    assert 3 < np.fft.rfftfreq(len(loud), 0.01)[1:][np.argmax(power[1:])] < 7
