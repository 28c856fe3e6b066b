"""From the script to what the microphone hears: first-order ambisonics, channels W, Y, Z, X (SN3D)."""

import math

import numpy as np
from scipy import signal

from savg_ray.scenes.chance import generator
from savg_ray.scenes.script import RATE_HZ, Room, Scene, SoundEvent, direction_deg
from savg_ray.scenes.sounds.event_sounds import event_waveform
from savg_ray.spatial.ambisonics import encode_gains

NEAREST_M = 0.5
"""Nothing gets louder than at this distance."""

ABSORPTION = {"wall": 0.65, "floor": 0.75, "ceiling": 0.60}
"""Share of the energy that a surface keeps, carpets and curtains included."""

_PATH_RATE_HZ = 100
_SOUND_M_S = 343.0
_AMBIENCE_CORNER_HZ = 250.0


def render_sound(scene: Scene) -> np.ndarray:
    """The scene as heard from the camera: float64 (4, n) at 24 kHz, full scale 1.

    The direct sound arrives at once, whatever the distance, so that it agrees with labels and pictures; its level
    falls with the distance. Reflections, if asked for, arrive later than it by the length of their detour.
    """
    n = round(scene.duration_s * RATE_HZ)
    field = np.zeros((4, n))
    for event in scene.events:
        waveform = event_waveform(scene, event)
        start = round(event.start_s * RATE_HZ)
        path_s, path_m = _path(scene, event, len(waveform))
        _add(field, start, waveform, path_s, path_m, gain=1.0, delay_s=None)
        if scene.reflections:
            _add_reflections(field, start, waveform, path_s, path_m, scene.room)
    if scene.ambience_db is not None:
        _add_ambience(field, scene.ambience_db, scene.seed)
    return field


def reflected_places(path_m: np.ndarray, room: Room) -> list[tuple[np.ndarray, float]]:
    """Image sources of the six surfaces: mirrored places, float64 (n, 3) each, and what a reflection keeps of the
    amplitude."""
    surfaces = [
        (0, room.front_m, "wall"),
        (0, -room.back_m, "wall"),
        (1, room.left_m, "wall"),
        (1, -room.right_m, "wall"),
        (2, -room.eye_height_m, "floor"),
        (2, room.height_m - room.eye_height_m, "ceiling"),
    ]
    images = []
    for axis, where_m, kind in surfaces:
        image_m = path_m.copy()
        image_m[:, axis] = 2 * where_m - image_m[:, axis]
        images.append((image_m, math.sqrt(1 - ABSORPTION[kind])))
    return images


def _path(scene: Scene, event: SoundEvent, n_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Times from the event's start (n,), and where it is then (n, 3)."""
    n = math.ceil(n_samples / RATE_HZ * _PATH_RATE_HZ) + 1
    path_s = np.arange(n) / _PATH_RATE_HZ
    if event.person is None:
        return path_s[[0, -1]], np.stack([scene.place(event, 0.0)] * 2)
    return path_s, np.stack([scene.place(event, event.start_s + float(time)) for time in path_s])


def _add_reflections(
    field: np.ndarray, start: int, waveform: np.ndarray, path_s: np.ndarray, path_m: np.ndarray, room: Room
) -> None:
    # Surfaces swallow high frequencies more than low ones.
    dull = signal.lfilter([0.55], [1, -0.45], waveform)
    direct_m = np.linalg.norm(path_m, axis=1)
    for image_m, gain in reflected_places(path_m, room):
        detour_s = (np.linalg.norm(image_m, axis=1) - direct_m) / _SOUND_M_S
        _add(field, start, dull, path_s, image_m, gain, detour_s)


def _add(
    field: np.ndarray,
    start: int,
    waveform: np.ndarray,
    path_s: np.ndarray,
    path_m: np.ndarray,
    gain: float,
    delay_s: np.ndarray | None,
) -> None:
    """Add a source that moves along a path; what lies behind the end of the scene is cut off."""
    n = len(waveform)
    if delay_s is not None:
        n += math.ceil(float(delay_s.max()) * RATE_HZ)
    n = min(n, field.shape[1] - start)
    time_s = np.arange(n) / RATE_HZ
    heard = waveform[:n]
    if delay_s is not None:
        sent_s = time_s - np.interp(time_s, path_s, delay_s)
        heard = np.interp(sent_s * RATE_HZ, np.arange(len(waveform)), waveform, left=0.0, right=0.0)
    azimuth_deg, elevation_deg = np.array([direction_deg(place) for place in path_m]).T
    loud = gain / np.linalg.norm(path_m, axis=1).clip(NEAREST_M)
    for channel, gains in zip(field, encode_gains(azimuth_deg, elevation_deg) * loud, strict=True):
        channel[start : start + n] += heard * np.interp(time_s, path_s, gains)


def _add_ambience(field: np.ndarray, level_db: float, seed: int) -> None:
    """Low rumble from everywhere: independent channels, of which the directed ones hold a third of W's power."""
    rng = generator(seed, 2)
    pole = math.exp(-2 * math.pi * _AMBIENCE_CORNER_HZ / RATE_HZ)
    for channel, share in zip(field, (1.0, 1 / 3, 1 / 3, 1 / 3), strict=True):
        noise = signal.lfilter([1 - pole], [1, -pole], rng.standard_normal(field.shape[1]))
        # The RMS of such a filter's output is known; dividing by the measured one would change with the length.
        rms = math.sqrt((1 - pole) / (1 + pole))
        channel += 10 ** (level_db / 20) * math.sqrt(share) / rms * noise
