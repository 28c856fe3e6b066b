"""Where people stand and walk: paths of waypoints inside the room, around the camera, away from each other."""

from dataclasses import dataclass

import numpy as np

from savg_ray.scenes.rooms import is_free
from savg_ray.scenes.script import Room, Waypoint

NEAREST_M, FARTHEST_M = 1.0, 4.0
"""How near to the camera people stand and how far from it; on their way they come no nearer than 0.95 m."""

_PASSING_M = 0.95
_STEP_CHECKED_M = 0.1
_TRIES = 60
_TURN_S = 0.7


@dataclass(frozen=True)
class Sector:
    """The part of the room that belongs to one person, as azimuths seen from the camera; sectors do not touch."""

    centre_deg: float
    half_width_deg: float


def share_room(n_people: int, rng: np.random.Generator) -> list[Sector]:
    """A sector for each of one to three people, at least 55 degrees from the next one (0.9 m at the nearest)."""
    first_deg = float(rng.uniform(-180, 180))
    if n_people == 1:
        return [Sector(first_deg, 180.0)]
    gap_deg = 55.0
    if n_people == 2:
        # Sometimes both fit into one view, sometimes they are on opposite sides.
        apart_deg = float(rng.choice([rng.uniform(68, 85), rng.uniform(100, 180)], p=[0.6, 0.4]))
        half_deg = (apart_deg - gap_deg) / 2
        return [Sector(first_deg, half_deg), Sector(first_deg + apart_deg, half_deg)]
    half_deg = (360 / n_people - gap_deg) / 2
    return [Sector(first_deg + i * 360 / n_people, half_deg) for i in range(n_people)]


def walk(
    room: Room, sector: Sector, duration_s: float, stand_s: tuple[float, float], rng: np.random.Generator
) -> tuple[Waypoint, ...]:
    """A path that stands, sways, turns and walks.

    Args:
        room: with its furniture.
        sector: to stay in.
        duration_s: of the scene.
        stand_s: shortest and longest time between two walks.
        rng: decides all.
    """
    x_m, y_m = _spot(room, sector, rng)
    path = [Waypoint(0.0, x_m, y_m, _facing(x_m, y_m, rng))]
    time_s = 0.0
    while time_s < duration_s:
        leave_s = time_s + float(rng.uniform(*stand_s))
        time_s = _stand(path, room, leave_s, rng)
        goal = _reachable(room, sector, path[-1], rng)
        if goal is None:
            continue
        here = path[-1]
        dx, dy = goal[0] - here.x_m, goal[1] - here.y_m
        ahead_deg = float(np.rad2deg(np.arctan2(dy, dx)))
        path.append(Waypoint(time_s + _TURN_S, here.x_m, here.y_m, ahead_deg))
        time_s += _TURN_S + float(np.hypot(dx, dy) / rng.uniform(0.45, 0.8))
        path.append(Waypoint(time_s, *goal, ahead_deg))
        time_s += _TURN_S
        path.append(Waypoint(time_s, *goal, _facing(*goal, rng)))
    return tuple(path)


def stay(room: Room, sector: Sector, duration_s: float, rng: np.random.Generator) -> tuple[Waypoint, ...]:
    """A path of somebody behind a standing instrument: one place, turning a little; 1.3 m or more from the camera."""
    x_m, y_m = _spot(room, sector, rng, nearest_m=1.3)
    front_deg = float(np.rad2deg(np.arctan2(-y_m, -x_m))) + float(rng.uniform(-15, 15))
    path, time_s = [Waypoint(0.0, x_m, y_m, front_deg)], 0.0
    while time_s < duration_s:
        time_s += float(rng.uniform(2, 6))
        path.append(Waypoint(time_s, x_m, y_m, front_deg + float(rng.uniform(-8, 8))))
    return tuple(path)


def _stand(path: list[Waypoint], room: Room, until_s: float, rng: np.random.Generator) -> float:
    """Add small steps and turns up to a time, and return it."""
    home = path[-1]
    time_s = home.time_s
    while until_s - time_s > 4.0:
        time_s += float(rng.uniform(2.0, 3.8))
        x_m, y_m = home.x_m + float(rng.uniform(-0.06, 0.06)), home.y_m + float(rng.uniform(-0.06, 0.06))
        if np.hypot(x_m, y_m) < _PASSING_M or not is_free(room, x_m, y_m):
            x_m, y_m = home.x_m, home.y_m
        path.append(Waypoint(time_s, x_m, y_m, _facing(x_m, y_m, rng)))
    here = path[-1]
    path.append(Waypoint(until_s, here.x_m, here.y_m, here.heading_deg))
    return until_s


def _facing(x_m: float, y_m: float, rng: np.random.Generator) -> float:
    """A heading roughly towards the camera, around which the others stand too."""
    return float(np.rad2deg(np.arctan2(-y_m, -x_m)) + rng.normal(0.0, 22.0))


def _spot(room: Room, sector: Sector, rng: np.random.Generator, nearest_m: float = NEAREST_M) -> tuple[float, float]:
    for _ in range(_TRIES):
        azimuth = np.deg2rad(sector.centre_deg + rng.uniform(-1, 1) * sector.half_width_deg)
        distance_m = rng.uniform(nearest_m, FARTHEST_M)
        x_m, y_m = float(distance_m * np.cos(azimuth)), float(distance_m * np.sin(azimuth))
        if is_free(room, x_m, y_m):
            return x_m, y_m
    # Furniture keeps 1.75 m from the camera, so that this is always free.
    azimuth = np.deg2rad(sector.centre_deg)
    return float(nearest_m * np.cos(azimuth)), float(nearest_m * np.sin(azimuth))


def _reachable(room: Room, sector: Sector, here: Waypoint, rng: np.random.Generator) -> tuple[float, float] | None:
    """A spot at least 0.5 m away with a free straight way to it; None after many tries."""
    for _ in range(_TRIES):
        x_m, y_m = _spot(room, sector, rng)
        length_m = float(np.hypot(x_m - here.x_m, y_m - here.y_m))
        if length_m < 0.5:
            continue
        shares = np.linspace(0, 1, max(2, int(length_m / _STEP_CHECKED_M)))
        way = [(here.x_m + s * (x_m - here.x_m), here.y_m + s * (y_m - here.y_m)) for s in shares]
        if all(np.hypot(*point) >= _PASSING_M and is_free(room, *point) for point in way):
            return x_m, y_m
    return None
