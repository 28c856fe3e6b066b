"""Small scenes for the tests of sound, and what is measured of it."""

import numpy as np

from savg_ray.scenes.script import RATE_HZ, Person, Scene, SoundEvent
from savg_ray.scenes.truth import PersonBox
from tests.scenes.pictures.pictured import empty_room

CURATION_GAIN = 10 ** (38 / 20)


def rms(signal: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(signal))))


def ringing_at(place_m: tuple[float, float, float], level_db: float = -30.0, end_s: float = 1.0) -> SoundEvent:
    """A telephone that rings without a pause, from the start on."""
    return SoundEvent(3, 0, 0.0, end_s, None, "hands", place_m, level_db, 5)


def speaking(person: int = 0, start_s: float = 0.5, end_s: float = 3.5, voice: int = 1, seed: int = 4) -> SoundEvent:
    return SoundEvent(voice, person + 1, start_s, end_s, person, "mouth", None, -30.0, seed)


def place_at(azimuth_deg: float, elevation_deg: float, distance_m: float) -> tuple[float, float, float]:
    azimuth, elevation = np.radians([azimuth_deg, elevation_deg])
    flat_m = distance_m * np.cos(elevation)
    return float(flat_m * np.cos(azimuth)), float(flat_m * np.sin(azimuth)), float(distance_m * np.sin(elevation))


def anechoic(*events: SoundEvent, people: tuple[Person, ...] = (), duration_s: float = 1.0) -> Scene:
    return Scene(1, duration_s, empty_room(), people, events, None, False)


def loudness(sound: np.ndarray) -> np.ndarray:
    """RMS in steps of 10 ms."""
    blocks = sound[: len(sound) // 240 * 240].reshape(-1, 240)
    return np.sqrt(np.mean(blocks**2, axis=1))


def pitches_hz(sound: np.ndarray, low_hz: float = 60.0, high_hz: float = 420.0) -> np.ndarray:
    """Pitch of each clearly periodic frame of 50 ms, from the peak of its autocorrelation."""
    n = RATE_HZ // 20
    found = []
    for start in range(0, len(sound) - n, n // 2):
        frame = sound[start : start + n] * np.hanning(n)
        if rms(frame) < 0.3 * rms(sound):
            continue
        correlation = np.fft.irfft(np.abs(np.fft.rfft(frame, 4 * n)) ** 2)[: int(RATE_HZ / low_hz)]
        first = int(RATE_HZ / high_hz)
        lag = first + int(np.argmax(correlation[first:]))
        if correlation[lag] > 0.4 * correlation[0]:
            found.append(RATE_HZ / lag)
    return np.array(found)


class GreyPainter:
    """Stands in for the painter: grey that tells the time, a box and two spheres a person."""

    def __init__(self, scene: Scene, width_px: int, height_px: int) -> None:
        self._scene, self._shape = scene, (height_px, width_px, 3)

    def paint(self, time_s: float) -> np.ndarray:
        return np.full(self._shape, grey_at(time_s), np.uint8)

    def boxes(self, time_s: float) -> list[PersonBox]:
        # The last person is hidden.
        return [_Box(number, 3.0 + time_s, 4.0, 9.0, 20.0) for number in range(len(self._scene.people) - 1)]

    def body_points(self, person: int, time_s: float) -> np.ndarray:
        return np.array([[person, time_s, 0.0, 0.25], [person, time_s, 1.0, 0.125]])


def grey_at(time_s: float) -> int:
    return 40 + int(40 * time_s) % 160


class _Box:
    def __init__(self, person: int, x0_px: float, y0_px: float, x1_px: float, y1_px: float) -> None:
        self.person, self.x0_px, self.y0_px, self.x1_px, self.y1_px = person, x0_px, y0_px, x1_px, y1_px
