"""Struck and plucked bodies: the notes that instruments and noises are made of."""

import numpy as np
from scipy import signal

from savg_ray.scenes.script import RATE_HZ


def struck(
    frequencies_hz: tuple[float, ...],
    levels: tuple[float, ...],
    decays_s: tuple[float, ...],
    length_s: float,
) -> np.ndarray:
    """A body that rings in a few modes after a blow: float64 (n,) at 24 kHz, peak about 1.

    Args:
        frequencies_hz: of the modes; those above 11 kHz are left out.
        levels: of the modes at first.
        decays_s: times in which the modes fall by 60 dB.
        length_s: how much of it.
    """
    time = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    out = np.zeros(len(time))
    for frequency_hz, level, decay_s in zip(frequencies_hz, levels, decays_s, strict=True):
        if frequency_hz < 11_000:
            out += level * 10 ** (-3 * time / decay_s) * np.sin(2 * np.pi * frequency_hz * time)
    # A blow takes a millisecond; without it every note would start with a click.
    out *= np.minimum(1.0, time / 0.001)
    return out / sum(levels)


def plucked(pitch_hz: float, decay_s: float, length_s: float, rng: np.random.Generator) -> np.ndarray:
    """A plucked string: float64 (n,) at 24 kHz, peak about 1.

    K. Karplus and A. Strong, Digital synthesis of plucked-string and drum timbres (1983), with the loop's delay made
    exact by linear interpolation (D. Jaffe and J. Smith, Extensions of the Karplus-Strong algorithm, 1983).

    Args:
        pitch_hz: of the string.
        decay_s: time in which its lowest partials fall by 60 dB.
        length_s: how much of it.
        rng: of the pluck.
    """
    period = RATE_HZ / pitch_hz
    whole = int(period - 1)
    rest = period - 1 - whole
    # The string loses its high partials first: [0.1, 0.8, 0.1] delays by 1, [1 - rest, rest] by rest.
    taps = np.convolve([0.1, 0.8, 0.1], [1 - rest, rest]) * 10 ** (-3 * period / (decay_s * RATE_HZ))
    n = round(length_s * RATE_HZ)
    string = np.zeros(max(n, 1) + 2 * whole + 8)
    pluck = signal.lfilter([0.35], [1, -0.65], rng.uniform(-1, 1, whole))
    # Plucked at a fifth of its length.
    pluck -= 0.8 * np.roll(pluck, whole // 5)
    pluck -= pluck.mean()
    first = len(taps) - 1
    string[first : first + whole] = pluck / np.abs(pluck).max()
    for start in range(first + whole, first + n, whole):
        past = string[start - whole - first : start]
        string[start : start + whole] = np.convolve(past, taps, mode="valid")[:whole]
    return string[first : first + n]


def add_note(track: np.ndarray, start_s: float, note: np.ndarray, level: float = 1.0) -> None:
    """Add a note to a track at 24 kHz, as much of it as fits."""
    start = round(start_s * RATE_HZ)
    room = track[start : start + len(note)]
    room += level * note[: len(room)]
