"""Small scenes for the tests of pictures."""

from dataclasses import replace

import numpy as np

from savg_ray.scenes.script import Furniture, Person, Room, Scene, SoundEvent, Waypoint

WIDTH_PX, HEIGHT_PX = 480, 240


def empty_room(palette: int = 2, furniture: tuple[Furniture, ...] = ()) -> Room:
    """A square room, so that all directions are alike."""
    return Room(4.0, 4.0, 4.0, 4.0, 2.8, 1.4, palette, furniture)


def person_at(azimuth_deg: float, distance_m: float, look: int = 1, instrument: str | None = None) -> Person:
    """Somebody who stands there and faces the camera."""
    turn = np.deg2rad(azimuth_deg)
    place = float(distance_m * np.cos(turn)), float(distance_m * np.sin(turn))
    return Person(look, look % 2, 1.7, instrument, (Waypoint(0.0, *place, azimuth_deg + 180),))


def walker(look: int = 3) -> Person:
    """Somebody who walks from right to left in front of the camera, 4 m in 4 s."""
    return Person(look, 1, 1.8, None, (Waypoint(0.0, 2.5, -2.0, 90.0), Waypoint(4.0, 2.5, 2.0, 90.0)))


def scene_of(*people: Person, events: tuple[SoundEvent, ...] = (), room: Room | None = None) -> Scene:
    return Scene(1, 10.0, room or empty_room(), people, events, None, False)


def event_of(person: int, emitter: str, start_s: float = 1.0, end_s: float = 5.0, seed: int = 4) -> SoundEvent:
    return SoundEvent(0, person, start_s, end_s, person, emitter, None, -30.0, seed)


def in_room(scene: Scene, room: Room) -> Scene:
    return replace(scene, room=room)
