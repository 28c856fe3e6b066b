"""What else sounds in a room: footsteps, clapping, a telephone, clatter, a door and knocking."""

import numpy as np
from scipy import signal

from savg_ray.scenes.chance import generator
from savg_ray.scenes.script import RATE_HZ
from savg_ray.scenes.sounds.struck import add_note, struck

_PHONE_ON_S, _PHONE_OFF_S = 1.2, 0.8


def footsteps(duration_s: float, steps_s: np.ndarray, seed: int) -> np.ndarray:
    """Heel and toe at each of the given times from the start: float64 (n,) at 24 kHz; its level is arbitrary."""
    rng, track = generator(seed), _silence(duration_s)
    for time_s in steps_s:
        loud = float(rng.uniform(0.7, 1.0))
        add_note(track, float(time_s), struck((85, 140, 260), (1, 0.7, 0.3), (0.12, 0.09, 0.05), 0.15), loud)
        add_note(track, float(time_s), _burst(rng, (300, 3500), 0.006, 0.05), 0.15 * loud)
        add_note(track, float(time_s) + 0.07, _burst(rng, (500, 5000), 0.012, 0.08), 0.1 * loud)
    return track


def clapping(duration_s: float, seed: int) -> np.ndarray:
    """Three to five claps a second: float64 (n,) at 24 kHz; its level is arbitrary."""
    rng, track = generator(seed), _silence(duration_s)
    step_s, centre_hz = 1 / float(rng.uniform(3, 5)), float(rng.uniform(900, 1300))
    for time_s in np.arange(0, duration_s, step_s):
        clap = _burst(rng, (0.6 * centre_hz, 3.2 * centre_hz), 0.008, 0.08)
        add_note(track, max(0.0, float(time_s + rng.normal(0, 0.008))), clap, float(rng.uniform(0.7, 1.0)))
    return track


def telephone(duration_s: float, seed: int) -> np.ndarray:
    """A warble of two tones, 1.2 s on and 0.8 s off: float64 (n,) at 24 kHz; its level is arbitrary."""
    rng = generator(seed)
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    low_hz, high_hz = float(rng.uniform(780, 980)), float(rng.uniform(1150, 1400))
    pitch_hz = np.where((time_s * 20).astype(int) % 2 == 0, low_hz, high_hz)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ
    within_s = time_s % (_PHONE_ON_S + _PHONE_OFF_S)
    gate = np.clip(np.minimum(within_s, _PHONE_ON_S - within_s) / 0.01, 0, 1)
    return gate * (np.sin(phase) + 0.4 * np.sin(2 * phase) + 0.15 * np.sin(3 * phase))


def clatter(duration_s: float, seed: int) -> np.ndarray:
    """Crockery put down and shifted, two to four times a second: float64 (n,) at 24 kHz; its level is arbitrary."""
    rng, track = generator(seed), _silence(duration_s)
    time_s = 0.0
    while time_s < duration_s:
        base_hz = float(rng.uniform(1100, 3200))
        ratios = np.array([1, 1.73, 2.6, 3.3]) * rng.uniform(0.97, 1.03, 4)
        decays_s = tuple((rng.uniform(0.12, 0.4) / np.arange(1, 5)).tolist())
        note = struck(tuple((base_hz * ratios).tolist()), (1, 0.7, 0.5, 0.3), decays_s, 0.4)
        add_note(track, time_s, note, float(rng.uniform(0.3, 1.0)))
        add_note(track, time_s, _burst(rng, (200, 2500), 0.01, 0.06), 0.2)
        time_s += float(rng.uniform(0.15, 0.5))
    return track


def door(duration_s: float, seed: int) -> np.ndarray:
    """A latch, a creak and a slam at the end: float64 (n,) at 24 kHz; its level is arbitrary."""
    rng, track = generator(seed), _silence(duration_s)
    add_note(track, 0.0, _burst(rng, (900, 5000), 0.006, 0.05), 0.3)
    creak_s = max(0.1, duration_s - 0.55)
    time_s = np.arange(round(creak_s * RATE_HZ)) / RATE_HZ
    pitch_hz = float(rng.uniform(160, 260)) * (1 + 0.4 * np.sin(2 * np.pi * 0.7 * time_s))
    creak = signal.sawtooth(2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ) * np.hanning(len(time_s))
    sections = signal.butter(1, (500, 2200), "bandpass", fs=RATE_HZ, output="sos")
    add_note(track, 0.1, signal.sosfilt(sections, creak), 0.08)
    slam_s = max(0.0, duration_s - 0.4)
    add_note(track, slam_s, struck((62, 110, 190, 330), (1, 0.8, 0.5, 0.3), (0.35, 0.25, 0.15, 0.1), 0.4))
    add_note(track, slam_s, _burst(rng, (150, 4000), 0.02, 0.2), 0.5)
    return track


def knocking(duration_s: float, seed: int) -> np.ndarray:
    """Knuckles on wood, four to six times a second: float64 (n,) at 24 kHz; its level is arbitrary."""
    rng, track = generator(seed), _silence(duration_s)
    base_hz, step_s = float(rng.uniform(170, 260)), 1 / float(rng.uniform(4, 6))
    for time_s in np.arange(0, duration_s, step_s):
        modes_hz = (base_hz, 1.9 * base_hz, 3.4 * base_hz)
        add_note(track, float(time_s), struck(modes_hz, (1, 0.7, 0.4), (0.12, 0.08, 0.05), 0.15))
        add_note(track, float(time_s), _burst(rng, (600, 4000), 0.003, 0.03), 0.25)
    return track


def _silence(duration_s: float) -> np.ndarray:
    return np.zeros(round(duration_s * RATE_HZ))


def _burst(rng: np.random.Generator, band_hz: tuple[float, float], decay_s: float, length_s: float) -> np.ndarray:
    """Noise of a band that dies away, peak 1."""
    n = round(length_s * RATE_HZ)
    noise = rng.standard_normal(n) * np.exp(-np.arange(n) / (decay_s * RATE_HZ))
    noise = signal.sosfilt(signal.butter(1, band_hz, "bandpass", fs=RATE_HZ, output="sos"), noise)
    return noise / np.abs(noise).max()
