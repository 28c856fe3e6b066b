"""Writes the script of a recording: the room, the people and their walks; `turns` decides what they do."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from savg_ray.scenes.chance import generator
from savg_ray.scenes.rooms import furnished_room
from savg_ray.scenes.roster import recording_name
from savg_ray.scenes.script import Instrument, Person, Room, Scene, SoundEvent
from savg_ray.scenes.sounds.event_sounds import FOOTSTEPS
from savg_ray.scenes.turns import Manner, on_grid, plan_turns
from savg_ray.scenes.walks import share_room, stay, walk

_STILL: tuple[Instrument, ...] = ("marimba",)
_CARRIED: tuple[Instrument, ...] = ("guitar", "guitar", "cowbell", "rattle")
"""The guitar is twice as frequent as the others."""

_FOOTSTEPS_DB = (-74.0, -68.0)
_AMBIENCE_DB = (-84.0, -78.0)
_WALKED_M = 0.4


@dataclass(frozen=True)
class Kind:
    """A kind of recording.

    Attributes:
        n_people: how many there are.
        n_players: how many of them have an instrument.
        stand_s: shortest and longest time between two walks.
        heard_steps: share of the walks that are heard.
        manner: how people take turns.
    """

    n_people: int
    n_players: int
    stand_s: tuple[float, float]
    heard_steps: float
    manner: Manner


_MONOLOGUE = Kind(1, 0, (7.0, 20.0), 0.0, Manner(turn_s=(6, 20), long_pause=0.08))
_DIALOGUE = Kind(2, 0, (10.0, 25.0), 0.15, Manner(turn_s=(3, 14), overlap=0.50, others=0.06))
_RECITAL = Kind(1, 1, (9.0, 22.0), 0.0, Manner(turn_s=(7, 20), long_pause=0.12, speaks_too=0.25))
_JAM = Kind(2, 1, (9.0, 22.0), 0.15, Manner(turn_s=(4, 16), overlap=0.50, others=0.04))
_BUSY = Kind(3, 1, (5.0, 14.0), 0.7, Manner(turn_s=(2, 10), overlap=0.50, others=0.45, speaks_too=0.3))

_KINDS = (_MONOLOGUE, _RECITAL, _DIALOGUE, _RECITAL, _BUSY, _JAM, _DIALOGUE)
"""Recordings take these in turn; seven and the six of the roster have no common divisor."""


def compose_scene(
    seed: int, recording: int, duration_s: float, *, reflections: bool = True, ambience: bool = True
) -> Scene:
    """The script of one recording; it depends on its arguments alone.

    Args:
        seed: of all recordings of a folder, not negative.
        recording: its number, from 0.
        duration_s: length.
        reflections: add the first reflections of the room.
        ambience: add diffuse noise.
    """
    room = furnished_room(seed, recording_name(recording).room)
    kind = _KINDS[recording % len(_KINDS)]
    rng = generator(seed, 0, recording)
    people = _people(kind, room, duration_s, rng)
    events = [*plan_turns(kind.manner, people, room, duration_s, rng), *_steps(kind, people, duration_s, rng)]
    events.sort(key=lambda event: (event.start_s, event.class_id, event.source))
    return Scene(
        seed=int(rng.integers(2**31)),
        duration_s=duration_s,
        room=room,
        people=people,
        events=tuple(events),
        ambience_db=float(rng.uniform(*_AMBIENCE_DB)) if ambience else None,
        reflections=reflections,
    )


def _people(kind: Kind, room: Room, duration_s: float, rng: np.random.Generator) -> tuple[Person, ...]:
    people = []
    for number, sector in enumerate(share_room(kind.n_people, rng)):
        voice = int(rng.integers(2))
        mean_m = (1.65, 1.78)[voice]
        height_m = float(np.clip(rng.normal(mean_m, 0.06), 1.52, 1.95))
        instrument: Instrument | None = None
        if number < kind.n_players:
            instrument = str(rng.choice(_STILL if rng.random() < 0.25 else _CARRIED))
        if instrument in _STILL:
            path = stay(room, sector, duration_s, rng)
        else:
            path = walk(room, sector, duration_s, kind.stand_s, rng)
        people.append(Person(int(rng.integers(2**31)), voice, round(height_m, 3), instrument, path))
    return tuple(people)


def _steps(kind: Kind, people: tuple[Person, ...], duration_s: float, rng: np.random.Generator) -> list[SoundEvent]:
    events = []
    for number, person in enumerate(people):
        for a, b in pairwise(person.path):
            heard = rng.random() < kind.heard_steps
            walked = np.hypot(b.x_m - a.x_m, b.y_m - a.y_m) > _WALKED_M
            start_s, end_s = on_grid(a.time_s), on_grid(min(b.time_s, duration_s))
            if heard and walked and end_s - start_s > 0.5:
                level_db, seed = float(rng.uniform(*_FOOTSTEPS_DB)), int(rng.integers(2**31))
                step = SoundEvent(FOOTSTEPS, number + 1, start_s, end_s, number, "feet", None, level_db, seed)
                events.append(step)
    return events
