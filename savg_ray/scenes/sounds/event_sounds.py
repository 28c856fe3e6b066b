"""The waveform of each event of a scene."""

import numpy as np

from savg_ray.scenes.script import RATE_HZ, Person, Scene, SoundEvent
from savg_ray.scenes.sounds.instruments import music
from savg_ray.scenes.sounds.noises import clapping, clatter, door, footsteps, knocking, telephone
from savg_ray.scenes.sounds.voice import laughter, speech
from savg_ray.scenes.sounds.voice_score import voice_of

FEMALE_SPEECH, MALE_SPEECH, CLAPPING, TELEPHONE, LAUGHTER, DOMESTIC, FOOTSTEPS, DOOR = range(8)
INSTRUMENT, KNOCK = 9, 12
"""STARSS23's classes that scenes have; music from a loudspeaker (8), a tap (10) and a bell (11) are left out."""

_NOISES = {CLAPPING: clapping, TELEPHONE: telephone, DOMESTIC: clatter, DOOR: door, KNOCK: knocking}
_FADE_IN_S, _FADE_OUT_S = 0.002, 0.03


def event_waveform(scene: Scene, event: SoundEvent) -> np.ndarray:
    """What the event sounds like at one metre: float64 (n,) at 24 kHz, RMS as `SoundEvent.level_db` says."""
    waveform = _waveform(scene, event)
    n_in, n_out = round(_FADE_IN_S * RATE_HZ), round(_FADE_OUT_S * RATE_HZ)
    waveform[:n_in] *= np.linspace(0, 1, n_in)[: len(waveform)]
    waveform[-n_out:] *= np.linspace(1, 0, n_out)[-len(waveform) :]
    rms = float(np.sqrt(np.mean(waveform**2)))
    return waveform * (10 ** (event.level_db / 20) / rms) if rms else waveform


def footfalls_s(person: Person, start_s: float, end_s: float) -> np.ndarray:
    """When a foot comes down: each half cycle of the gait, float64 (n,), seconds of the scene."""
    time_s = np.arange(start_s, end_s, 0.01)
    half_cycles = np.floor(2 * np.array([person.at(float(time)).stride for time in time_s]) + 0.5)
    return time_s[1:][np.diff(half_cycles) > 0]


def _waveform(scene: Scene, event: SoundEvent) -> np.ndarray:
    duration_s = event.end_s - event.start_s
    if event.person is None or event.class_id in _NOISES:
        return _NOISES[event.class_id](duration_s, event.seed)
    person = scene.people[event.person]
    if event.class_id == FOOTSTEPS:
        steps_s = footfalls_s(person, event.start_s, event.end_s) - event.start_s
        return footsteps(duration_s, steps_s, event.seed)
    if event.class_id == INSTRUMENT:
        assert person.instrument is not None
        return music(person.instrument, duration_s, event.seed)
    voice = voice_of(person.voice, person.look)
    return (laughter if event.class_id == LAUGHTER else speech)(voice, duration_s, event.seed)
