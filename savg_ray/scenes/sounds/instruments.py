"""Music of guitar, marimba, cowbell and rattle, played without a score but with rhythm and harmony."""

from collections.abc import Callable

import numpy as np
from scipy import signal

from savg_ray.scenes.chance import generator
from savg_ray.scenes.script import RATE_HZ, Instrument
from savg_ray.scenes.sounds.struck import add_note, plucked, struck

# Semitones above the key note.
_CHORDS = {"I": (0, 4, 7), "ii": (2, 5, 9), "IV": (5, 9, 12), "V": (7, 11, 14), "vi": (9, 12, 16)}
_TURNS = (("I", "V", "vi", "IV"), ("I", "vi", "ii", "V"), ("I", "IV", "I", "V"))
_PENTATONIC = (0, 2, 4, 7, 9, 12, 14, 16, 19, 21)


def music(instrument: Instrument, duration_s: float, seed: int) -> np.ndarray:
    """Somebody plays: float64 (n,) at 24 kHz, from the first stroke on; its level is arbitrary."""
    track = np.zeros(round(duration_s * RATE_HZ))
    _PLAY[instrument](track, generator(seed))
    return track


def guitar_note(pitch_hz: float, length_s: float, rng: np.random.Generator) -> np.ndarray:
    """One plucked note on a wooden body: float64 (n,) at 24 kHz."""
    return plucked(pitch_hz, decay_s=float(np.clip(700 / pitch_hz, 1.5, 5.0)), length_s=length_s, rng=rng)


def marimba_note(pitch_hz: float, length_s: float) -> np.ndarray:
    """One bar struck with a soft mallet, its modes at 1 : 3.9 : 9.2: float64 (n,) at 24 kHz."""
    decay_s = float(np.clip(350 / pitch_hz, 0.5, 1.6))
    modes_hz = (pitch_hz, 3.93 * pitch_hz, 9.2 * pitch_hz)
    return struck(modes_hz, (1.0, 0.22, 0.06), (decay_s, decay_s / 4, decay_s / 10), length_s)


def cowbell_note(pitch_hz: float, length_s: float) -> np.ndarray:
    """One stroke on a cowbell: float64 (n,) at 24 kHz. Its two strongest modes lie about 1 : 1.48."""
    ratios, levels = (1.0, 1.48, 2.63, 3.86, 5.2, 7.1), (1.0, 0.85, 0.5, 0.4, 0.25, 0.15)
    decays_s = (0.45, 0.40, 0.25, 0.2, 0.12, 0.08)
    return struck(tuple(pitch_hz * ratio for ratio in ratios), levels, decays_s, length_s)


def _play_guitar(track: np.ndarray, rng: np.random.Generator) -> None:
    beat_s = 60 / float(rng.uniform(84, 132))
    key_hz = 110.0 * 2 ** (int(rng.integers(-3, 5)) / 12)
    turn, strummed = _TURNS[rng.integers(len(_TURNS))], rng.random() < 0.35
    length_s = len(track) / RATE_HZ
    time_s, bar = 0.0, 0
    while time_s < length_s:
        chord = _CHORDS[turn[bar % len(turn)]]
        strings = [chord[0] - 12 if chord[0] > 4 else chord[0], *(tone + 12 for tone in chord), chord[0] + 24]
        pitches = [key_hz * 2 ** (tone / 12) for tone in strings]
        if strummed:
            _strum(track, time_s, beat_s, pitches, rng)
        else:
            _pick(track, time_s, beat_s, pitches, rng)
        time_s += 4 * beat_s
        bar += 1
    # The body answers around its air and wood resonances.
    body = sum(signal.lfilter(*signal.iirpeak(hz, 6, fs=RATE_HZ), track) for hz in (105.0, 205.0, 420.0))
    track += 0.6 * body


def _strum(track: np.ndarray, time_s: float, beat_s: float, pitches: list[float], rng: np.random.Generator) -> None:
    for stroke in (0.0, 1.0, 1.5, 2.0, 3.0, 3.5):
        down = stroke % 1 == 0
        for order, pitch_hz in enumerate(pitches if down else pitches[::-1][:3]):
            start_s = time_s + stroke * beat_s + 0.018 * order
            if start_s * RATE_HZ < len(track):
                add_note(track, start_s, guitar_note(pitch_hz, 1.2 * beat_s, rng), 0.5 if down else 0.35)


def _pick(track: np.ndarray, time_s: float, beat_s: float, pitches: list[float], rng: np.random.Generator) -> None:
    for eighth, string in enumerate((0, 2, 3, 4, 1, 3, 2, 3)):
        start_s = time_s + eighth * beat_s / 2 + float(rng.uniform(0, 0.008))
        if start_s * RATE_HZ < len(track):
            level = 1.0 if eighth % 4 == 0 else float(rng.uniform(0.6, 0.85))
            add_note(track, start_s, guitar_note(pitches[string], 2.2 * beat_s, rng), level)


def _play_marimba(track: np.ndarray, rng: np.random.Generator) -> None:
    step_s = 60 / float(rng.uniform(92, 132)) / 2
    key_hz = 220.0 * 2 ** (int(rng.integers(-4, 6)) / 12)
    place = int(rng.integers(2, 7))
    for time_s in np.arange(0, len(track) / RATE_HZ, step_s):
        place = int(np.clip(place + rng.integers(-2, 3), 0, len(_PENTATONIC) - 1))
        pitch_hz = key_hz * 2 ** (_PENTATONIC[place] / 12)
        loud = float(rng.uniform(0.6, 1.0))
        if rng.random() < 0.85 or time_s == 0:
            add_note(track, time_s, marimba_note(pitch_hz, 1.2), loud)
        if rng.random() < 0.25:
            add_note(track, time_s, marimba_note(pitch_hz * 2 ** (-5 / 12), 1.2), 0.7 * loud)


def _play_cowbell(track: np.ndarray, rng: np.random.Generator) -> None:
    step_s = 60 / float(rng.uniform(96, 128)) / 2
    pitch_hz = float(rng.uniform(520, 640))
    open_note, damped = cowbell_note(pitch_hz, 0.5), cowbell_note(pitch_hz, 0.5)
    damped = damped * np.exp(-np.arange(len(damped)) / (0.03 * RATE_HZ))
    strokes = tuple(rng.permutation([1, 0, 2, 1, 2, 0, 1, 2]).tolist())
    for i, time_s in enumerate(np.arange(0, len(track) / RATE_HZ, step_s)):
        stroke = 1 if i == 0 else strokes[i % len(strokes)]
        if stroke:
            add_note(track, time_s, open_note if stroke == 1 else damped, float(rng.uniform(0.7, 1.0)))


def _play_rattle(track: np.ndarray, rng: np.random.Generator) -> None:
    step_s = 60 / float(rng.uniform(100, 140)) / 4
    time_s = np.arange(len(track)) / RATE_HZ
    loud = np.zeros(len(track))
    for i, start_s in enumerate(np.arange(0, len(track) / RATE_HZ, step_s)):
        level = (1.0 if i % 4 == 0 else 0.55) * float(rng.uniform(0.8, 1.0))
        since_s = time_s[round(start_s * RATE_HZ) :][: round(0.15 * RATE_HZ)] - start_s
        rise_and_fall = np.minimum(1, since_s / 0.012) * np.exp(-np.maximum(since_s, 0) / 0.045)
        add_note(loud, start_s, rise_and_fall.clip(0), level)
    # Many small grains that hit the shell, each of them a click.
    grains = rng.standard_normal(len(track)) * (rng.random(len(track)) < 0.2)
    sections = signal.butter(2, (2800, 8500), "bandpass", fs=RATE_HZ, output="sos")
    track += signal.sosfilt(sections, grains * loud)


_PLAY: dict[Instrument, Callable[[np.ndarray, np.random.Generator], None]] = {
    "guitar": _play_guitar,
    "marimba": _play_marimba,
    "cowbell": _play_cowbell,
    "rattle": _play_rattle,
}
