"""What a person does at a moment: mouth, gestures, playing, clapping; from the script's events."""

from typing import NamedTuple

import numpy as np

from savg_ray.scenes.script import Scene, SoundEvent

_RAMP_S = 0.25
_SYLLABLES_HZ, _STRIKES_HZ, _CLAPS_HZ = 4.0, 4.0, 4.0
_BLINK_EVERY_S, _BLINK_S = 3.3, 0.16


class Motion(NamedTuple):
    """What a person does.

    Attributes:
        mouth: 0 closed to 1 wide open.
        lids: 0 open eyes to 1 closed.
        gesture: 0 arms hang to 1 hands speak too.
        playing: 0 still to 1 hands move over the instrument.
        beat: strokes played since the start; its fraction is the phase of a stroke.
        clapping: 0 to 1, both hands before the chest.
        clap: phase of the claps, likewise.
        clock_s: time that idle movements follow, shifted for each person.
    """

    mouth: float
    lids: float
    gesture: float
    playing: float
    beat: float
    clapping: float
    clap: float
    clock_s: float


def motion_at(scene: Scene, person: int, time_s: float) -> Motion:
    """What a person of a scene does at a time."""
    shift_s = 10 * float(np.random.Generator(np.random.PCG64([scene.people[person].look, 7])).random())
    clock_s = time_s + shift_s
    spoken = _level(scene, person, "mouth", time_s)
    gait = 0.5 + 0.5 * np.sin(1.1 * clock_s)
    return Motion(
        mouth=max((_mouth(event, time_s) for event in _sounding(scene, person, "mouth", time_s)), default=0.0),
        lids=1.0 if clock_s % _BLINK_EVERY_S < _BLINK_S else 0.0,
        gesture=spoken * (0.35 + 0.65 * gait),
        playing=_level(scene, person, "instrument", time_s),
        beat=_STRIKES_HZ * clock_s,
        clapping=_level(scene, person, "hands", time_s),
        clap=_CLAPS_HZ * time_s,
        clock_s=clock_s,
    )


def _events(scene: Scene, person: int, emitter: str) -> list[SoundEvent]:
    return [event for event in scene.events if event.person == person and event.emitter == emitter]


def _sounding(scene: Scene, person: int, emitter: str, time_s: float) -> list[SoundEvent]:
    return [event for event in _events(scene, person, emitter) if event.start_s <= time_s < event.end_s]


def _level(scene: Scene, person: int, emitter: str, time_s: float) -> float:
    """1 while something sounds, rising before it and falling after it."""
    gaps = [max(event.start_s - time_s, time_s - event.end_s, 0.0) for event in _events(scene, person, emitter)]
    share = max(1 - min(gaps, default=_RAMP_S) / _RAMP_S, 0.0)
    return share * share * (3 - 2 * share)


def _mouth(event: SoundEvent, time_s: float) -> float:
    """A mouth that opens about four times a second, now more, now less, and shuts at both ends of the event."""
    phase = 2 * np.pi * np.random.Generator(np.random.PCG64([event.seed, 3])).random(3)
    into_s, left_s = time_s - event.start_s, event.end_s - time_s
    syllable = 0.5 - 0.5 * np.cos(2 * np.pi * _SYLLABLES_HZ * into_s + 0.8 * np.sin(2.3 * into_s + phase[0]))
    stress = 0.70 + 0.30 * np.sin(5.1 * into_s + phase[1]) * np.sin(2.7 * into_s + phase[2])
    return float(syllable * stress * min(1.0, into_s / 0.06, left_s / 0.06))
