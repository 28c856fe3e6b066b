"""Who sounds when: turns of speech and music, pauses, overlaps, and other sounds in between."""

from dataclasses import dataclass, field

import numpy as np

from savg_ray.scenes.script import Person, Room, SoundEvent
from savg_ray.scenes.sounds.event_sounds import CLAPPING, DOMESTIC, DOOR, INSTRUMENT, KNOCK, LAUGHTER, TELEPHONE

_TICKS_PER_S = 10
_SPEECH_DB, _MUSIC_DB = (-63.0, -58.0), (-66.0, -60.0)
_LOUD_SHARE, _LOUD_BY_DB = 0.07, 13.0
"""Some turns are so loud that the 38 dB of a dataset's amplification clip them."""

_OVERLAP_S = (0.8, 4.0)
_SHORTEST_TURN_S = 1.5

# Lengths and levels (RMS at one metre) of the other sounds.
_OTHERS = {
    CLAPPING: ((1.5, 4.0), (-60.0, -54.0)),
    TELEPHONE: ((2.0, 6.0), (-66.0, -60.0)),
    LAUGHTER: ((1.2, 3.0), (-62.0, -56.0)),
    DOMESTIC: ((1.0, 4.0), (-66.0, -60.0)),
    DOOR: ((0.9, 1.5), (-56.0, -50.0)),
    KNOCK: ((0.7, 1.5), (-58.0, -52.0)),
}
_BY_PEOPLE = (CLAPPING, LAUGHTER)
_AT_DOOR_M, _ON_TOP_M = 1.1, 0.05


@dataclass(frozen=True)
class Manner:
    """How people take turns.

    Attributes:
        turn_s: shortest and longest turn.
        long_pause: share of the pauses that are 2 to 5 s long instead of below 1 s.
        overlap: share of the turns that begin before another one has ended.
        others: chance of another sound beside or after each turn.
        speaks_too: share of a player's turns that are speech.
    """

    turn_s: tuple[float, float]
    long_pause: float = 0.2
    overlap: float = 0.0
    others: float = 0.0
    speaks_too: float = 0.1


@dataclass
class _Plan:
    """What is planned so far, and from when on each person is free."""

    room: Room
    people: tuple[Person, ...]
    duration_s: float
    free_s: list[float]
    events: list[SoundEvent] = field(default_factory=list)


def on_grid(time_s: float) -> float:
    """The next tenth of a second: sounds begin and end between label frames, so that labels are exact."""
    return round(time_s * _TICKS_PER_S) / _TICKS_PER_S


def plan_turns(
    manner: Manner, people: tuple[Person, ...], room: Room, duration_s: float, rng: np.random.Generator
) -> list[SoundEvent]:
    """Turns of speech and music from the first second to the end, and other sounds among them."""
    plan = _Plan(room, people, duration_s, [0.0] * len(people))
    time_s, speaker = float(rng.uniform(0.2, 1.2)), -1
    while True:
        speaker = _next_speaker(plan, speaker, time_s, rng)
        start_s = on_grid(max(time_s, plan.free_s[speaker]))
        end_s = on_grid(min(start_s + rng.uniform(*manner.turn_s), duration_s - 0.1))
        if end_s - start_s < _SHORTEST_TURN_S:
            return plan.events
        _add_turn(plan, speaker, start_s, end_s, manner, rng)
        time_s = end_s + _pause_s(manner, rng)
        if len(people) > 1 and rng.random() < manner.overlap:
            time_s = max(start_s, end_s - float(rng.uniform(*_OVERLAP_S)))
        if rng.random() < manner.others:
            time_s = max(time_s, _add_other(plan, start_s, end_s, rng))


def _next_speaker(plan: _Plan, last: int, time_s: float, rng: np.random.Generator) -> int:
    """Anybody but the last one, if there is a choice; those who are free come first."""
    others = [number for number in range(len(plan.people)) if number != last] or [last]
    free = [number for number in others if plan.free_s[number] <= time_s]
    return int(rng.choice(free or others))


def _pause_s(manner: Manner, rng: np.random.Generator) -> float:
    return float(rng.uniform(2.0, 5.0) if rng.random() < manner.long_pause else rng.uniform(0.2, 0.9))


def _add_turn(
    plan: _Plan, speaker: int, start_s: float, end_s: float, manner: Manner, rng: np.random.Generator
) -> None:
    person = plan.people[speaker]
    plays = person.instrument is not None and rng.random() >= manner.speaks_too
    level_db = float(rng.uniform(*(_MUSIC_DB if plays else _SPEECH_DB)))
    if rng.random() < _LOUD_SHARE:
        level_db += _LOUD_BY_DB
    label = INSTRUMENT if plays else person.voice
    _add(plan, label, start_s, end_s, level_db, rng, speaker=speaker)


def _add_other(plan: _Plan, start_s: float, end_s: float, rng: np.random.Generator) -> float:
    """Another sound, during a turn or right after it, and when it ends."""
    label = int(rng.choice(list(_OTHERS)))
    lengths_s, levels_db = _OTHERS[label]
    begin_s = on_grid(rng.uniform(start_s, end_s) if rng.random() < 0.5 else end_s + rng.uniform(0.1, 0.6))
    finish_s = on_grid(begin_s + rng.uniform(*lengths_s))
    idle = [number for number, free_s in enumerate(plan.free_s) if free_s <= begin_s]
    if finish_s > plan.duration_s - 0.1 or (label in _BY_PEOPLE and not idle):
        return 0.0
    level_db = float(rng.uniform(*levels_db))
    if label in _BY_PEOPLE:
        _add(plan, label, begin_s, finish_s, level_db, rng, speaker=int(rng.choice(idle)))
    else:
        _add(plan, label, begin_s, finish_s, level_db, rng, place_m=_fixed_place(plan.room, label, rng))
    return finish_s + 0.2 if begin_s >= end_s else 0.0


def _fixed_place(room: Room, label: int, rng: np.random.Generator) -> tuple[float, float, float]:
    """Doors and knocking at the door, everything else on a table or a cabinet."""
    if label in (DOOR, KNOCK):
        piece = next(piece for piece in room.furniture if piece.kind == "door")
        return piece.x_m, piece.y_m, _AT_DOOR_M - room.eye_height_m
    tops = [piece for piece in room.furniture if piece.kind in ("table", "cabinet")]
    if not tops:
        return room.front_m - 0.3, 0.0, 0.8 - room.eye_height_m
    piece = tops[rng.integers(len(tops))]
    return piece.x_m, piece.y_m, piece.height_m + _ON_TOP_M - room.eye_height_m


def _add(
    plan: _Plan,
    label: int,
    start_s: float,
    end_s: float,
    level_db: float,
    rng: np.random.Generator,
    *,
    speaker: int | None = None,
    place_m: tuple[float, float, float] | None = None,
) -> None:
    emitter = {INSTRUMENT: "instrument", CLAPPING: "hands"}.get(label, "mouth")
    source = 0 if speaker is None else speaker + 1
    seed = int(rng.integers(2**31))
    plan.events.append(SoundEvent(label, source, start_s, end_s, speaker, emitter, place_m, level_db, seed))
    if speaker is not None:
        plan.free_s[speaker] = end_s + 0.2
