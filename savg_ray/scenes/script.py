"""The script of a scene: who is where when, and what sounds from where; picture and sound are both made from it.

Coordinates are metres from the camera, which is also the microphone: x forward (azimuth 0), y to the left
(azimuth +90), z up. The floor lies at ``-Room.eye_height_m``.
"""

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Literal

import numpy as np

Emitter = Literal["mouth", "hands", "feet", "instrument"]
Instrument = Literal["guitar", "marimba", "cowbell", "rattle"]

RATE_HZ = 24_000
"""Samples of sound per second, as in STARSS23."""

LABEL_RATE_HZ = 10
"""Label frames per second."""

FPS = Fraction(30_000, 1001)
"""Pictures per second."""

_WALKING_M_S = 0.15
_STRIDE_M = 1.3


@dataclass(frozen=True)
class Furniture:
    """A box that stands on the floor, or hangs on a wall when ``bottom_m`` is above it.

    Attributes:
        kind: what it is drawn as.
        x_m, y_m: centre.
        yaw_deg: azimuth that its front faces; things at a wall face the room.
        width_m, depth_m, height_m: size across the facing direction, along it, and upwards.
        bottom_m: height of the lower side above the floor.
    """

    kind: Literal["table", "sofa", "shelf", "cabinet", "plant", "lamp", "picture", "window", "door", "rug"]
    x_m: float
    y_m: float
    yaw_deg: float
    width_m: float
    depth_m: float
    height_m: float
    bottom_m: float = 0.0


@dataclass(frozen=True)
class Room:
    """A room of four walls around the camera.

    Attributes:
        front_m, back_m, left_m, right_m: distance from the camera to each wall.
        height_m: floor to ceiling.
        eye_height_m: camera above the floor.
        palette: seed of its colours and textures.
        furniture: what stands in it.
    """

    front_m: float
    back_m: float
    left_m: float
    right_m: float
    height_m: float
    eye_height_m: float
    palette: int
    furniture: tuple[Furniture, ...]


@dataclass(frozen=True)
class Waypoint:
    """Where a person is at one moment, and which way the chest points (azimuth, counter-clockwise)."""

    time_s: float
    x_m: float
    y_m: float
    heading_deg: float


@dataclass(frozen=True)
class PersonState:
    """A person at one moment.

    Attributes:
        x_m, y_m: on the floor.
        heading_deg: azimuth that the chest points to.
        walking: 0 standing to 1 walking.
        stride: cycles walked since the start; its fraction is the phase of the gait.
    """

    x_m: float
    y_m: float
    heading_deg: float
    walking: float
    stride: float


@dataclass(frozen=True)
class Person:
    """Somebody in the room.

    Attributes:
        look: seed of clothes, hair and skin.
        voice: 0 female or 1 male, the class of the speech.
        height_m: floor to crown.
        instrument: what is held or stood behind, if anything.
        path: waypoints in order of time; before the first and after the last the person stands there.
    """

    look: int
    voice: Literal[0, 1]
    height_m: float
    instrument: Instrument | None
    path: tuple[Waypoint, ...]

    def at(self, time_s: float) -> PersonState:
        """The person's place, heading and gait at a time; turns take the shorter way round."""
        walked_m = 0.0
        last = self.path[0]
        for a, b in pairwise(self.path):
            length_m = float(np.hypot(b.x_m - a.x_m, b.y_m - a.y_m))
            if time_s < b.time_s:
                if time_s <= a.time_s:
                    break
                share = (time_s - a.time_s) / (b.time_s - a.time_s)
                eased = share * share * (3 - 2 * share)
                speed_m_s = length_m / (b.time_s - a.time_s) * 6 * share * (1 - share)
                turn_deg = (b.heading_deg - a.heading_deg + 180) % 360 - 180
                return PersonState(
                    x_m=a.x_m + eased * (b.x_m - a.x_m),
                    y_m=a.y_m + eased * (b.y_m - a.y_m),
                    heading_deg=a.heading_deg + eased * turn_deg,
                    walking=min(1.0, speed_m_s / (4 * _WALKING_M_S)),
                    stride=(walked_m + eased * length_m) / _STRIDE_M,
                )
            walked_m += length_m
            last = b
        return PersonState(last.x_m, last.y_m, last.heading_deg, 0.0, walked_m / _STRIDE_M)


@dataclass(frozen=True)
class SoundEvent:
    """One sound.

    Attributes:
        class_id: STARSS23's class.
        source: STARSS23's source index: 0 for what is no person, else the person's number.
        start_s, end_s: when it sounds.
        person: index into `Scene.people`; None for a fixed place.
        emitter: which part of the person sounds; ignored for a fixed place.
        place_m: the fixed place (x, y, z); None for a person.
        level_db: level in the recording at one metre, RMS while sounding, relative to full scale.
        seed: of its waveform.
    """

    class_id: int
    source: int
    start_s: float
    end_s: float
    person: int | None
    emitter: Emitter
    place_m: tuple[float, float, float] | None
    level_db: float
    seed: int


@dataclass(frozen=True)
class Scene:
    """Everything that one recording shows and sounds.

    Attributes:
        seed: what it was drawn up from; also seeds ambience.
        duration_s: length.
        room: where.
        people: who.
        events: what sounds, in order of start.
        ambience_db: level of the diffuse noise in W, RMS relative to full scale (Y, Z and X hold 4.8 dB less, as in
            any diffuse field); None for silence.
        reflections: add the first reflections from walls, floor and ceiling.
    """

    seed: int
    duration_s: float
    room: Room
    people: tuple[Person, ...]
    events: tuple[SoundEvent, ...]
    ambience_db: float | None
    reflections: bool

    def place(self, event: SoundEvent, time_s: float) -> np.ndarray:
        """Where an event sounds from at a time: float64 (3,), metres."""
        if event.place_m is not None:
            return np.array(event.place_m, np.float64)
        assert event.person is not None
        return emitter_place(self.people[event.person], event.emitter, time_s, self.room.eye_height_m)


_FORWARD_AND_HEIGHT: dict[Emitter, tuple[float, float]] = {
    # Share of the person's height in front of the body's axis, and above the floor.
    "mouth": (0.055, 0.895),
    "hands": (0.20, 0.68),
    "feet": (0.03, 0.03),
    "instrument": (0.17, 0.60),
}


def emitter_place(person: Person, emitter: Emitter, time_s: float, eye_height_m: float) -> np.ndarray:
    """Where a part of a person is: float64 (3,), metres."""
    state = person.at(time_s)
    forward, height = _FORWARD_AND_HEIGHT[emitter]
    heading = np.deg2rad(state.heading_deg)
    reach_m = forward * person.height_m
    return np.array(
        [
            state.x_m + reach_m * np.cos(heading),
            state.y_m + reach_m * np.sin(heading),
            height * person.height_m - eye_height_m,
        ]
    )


def direction_deg(place_m: np.ndarray) -> tuple[float, float]:
    """Azimuth (positive to the left) and elevation (positive up) of a place, in degrees."""
    x, y, z = (float(value) for value in place_m)
    return float(np.rad2deg(np.arctan2(y, x))), float(np.rad2deg(np.arctan2(z, np.hypot(x, y))))
