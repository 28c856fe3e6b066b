"""Speech and laughter, source and filter: a glottal pulse train through gliding formants, with breath and hiss.

The source is the flow derivative of D. Klatt and L. Klatt, Analysis, synthesis, and perception of voice quality
variations (1990); the resonators are those of D. Klatt, Software for a cascade/parallel formant synthesizer (1980).
"""

from collections.abc import Callable

import numpy as np
from scipy import signal

from savg_ray.scenes.chance import generator
from savg_ray.scenes.script import RATE_HZ
from savg_ray.scenes.sounds.voice_score import CONTROL_HZ, N_FORMANTS, Score, Voice, laughter_score, speech_score

_PER_CONTROL = RATE_HZ // CONTROL_HZ
_BANDWIDTHS_HZ = np.array([70.0, 95.0, 140.0, 220.0, 300.0])
_HISS_BANDS_HZ = ((4200.0, 9000.0), (2000.0, 5500.0), (1500.0, 8500.0))
_HISS_LEVELS = (0.40, 0.35, 0.15)
_TABLE_LENGTH = 4096
_OPEN_QUOTIENT = 0.6


def speech(voice: Voice, duration_s: float, seed: int) -> np.ndarray:
    """Speech-like sound without words: float64 (n,) at 24 kHz; its level is arbitrary."""
    rng = generator(seed)
    return voiced_sound(voice, speech_score(voice, duration_s, rng), duration_s, rng)


def laughter(voice: Voice, duration_s: float, seed: int) -> np.ndarray:
    """Laughter-like sound: float64 (n,) at 24 kHz; its level is arbitrary."""
    rng = generator(seed)
    return voiced_sound(voice, laughter_score(voice, duration_s, rng), duration_s, rng)


def voiced_sound(voice: Voice, score: Score, duration_s: float, rng: np.random.Generator) -> np.ndarray:
    """What a score sounds like: float64 (n,) at 24 kHz; RMS 1 where it is fully voiced."""
    n = round(duration_s * RATE_HZ)
    time = np.arange(n) / _PER_CONTROL
    steps = np.arange(len(score.pitch_hz))

    def per_sample(control: np.ndarray) -> np.ndarray:
        return np.interp(time, steps, control)

    pitch_hz = per_sample(score.pitch_hz)
    phase = np.cumsum(pitch_hz) / RATE_HZ
    pulses = np.interp(phase % 1.0, np.arange(_TABLE_LENGTH + 1) / _TABLE_LENGTH, _pulse(float(pitch_hz.max())))
    noise = rng.standard_normal(n)
    # Breath comes in puffs while the vocal folds swing.
    puffs = 1.0 + 0.5 * np.sin(2 * np.pi * phase)
    voicing = per_sample(score.voicing)
    source = voicing * (pulses + voice.breathiness * puffs * noise) + 0.25 * per_sample(score.breath) * noise
    voiced = _through_formants(source, score.formants_hz)
    level = np.sqrt((voiced**2).sum() / max(1e-9, (voicing**2).sum())) or 1.0
    return voiced / level + _hisses(score, per_sample, rng, n)


def _hisses(
    score: Score, per_sample: Callable[[np.ndarray], np.ndarray], rng: np.random.Generator, n: int
) -> np.ndarray:
    hiss = np.zeros(n)
    for loud, band_hz, level in zip(score.hiss, _HISS_BANDS_HZ, _HISS_LEVELS, strict=True):
        sections = signal.butter(2, band_hz, "bandpass", fs=RATE_HZ, output="sos")
        noise = signal.sosfilt(sections, rng.standard_normal(n))
        hiss += level * per_sample(loud) * noise / noise.std()
    return hiss


def _pulse(highest_pitch_hz: float) -> np.ndarray:
    """One period of the flow's derivative, RMS 1, without harmonics that would fold over: (4097,), closed."""
    time = np.arange(_TABLE_LENGTH) / _TABLE_LENGTH
    open_share = time / _OPEN_QUOTIENT
    derivative = np.where(open_share < 1, 2 * open_share - 3 * open_share**2, 0.0)
    harmonics = np.fft.rfft(derivative)
    number = np.arange(len(harmonics))
    harmonics[number * highest_pitch_hz > 0.45 * RATE_HZ] = 0
    harmonics[0] = 0
    # Glottal closure is not abrupt: the spectrum falls faster from 5 kHz on.
    harmonics /= np.sqrt(1 + (number * highest_pitch_hz / 5000.0) ** 2)
    period = np.fft.irfft(harmonics, _TABLE_LENGTH)
    return np.append(period, period[0]) / period.std()


def _through_formants(source: np.ndarray, formants_hz: np.ndarray) -> np.ndarray:
    """Five resonators in series that glide every 5 ms."""
    sections = np.zeros((len(formants_hz), N_FORMANTS, 6))
    radius = np.exp(-np.pi * _BANDWIDTHS_HZ / RATE_HZ)
    b, c = 2 * radius * np.cos(2 * np.pi * formants_hz / RATE_HZ), -(radius**2)
    sections[..., 0], sections[..., 3] = 1 - b - c, 1.0
    sections[..., 4], sections[..., 5] = -b, -c
    out, state = np.empty_like(source), np.zeros((N_FORMANTS, 2))
    for i, start in enumerate(range(0, len(source), _PER_CONTROL)):
        block = slice(start, start + _PER_CONTROL)
        out[block], state = signal.sosfilt(sections[i], source[block], zi=state)
    return out
