"""Everybody who is in the room at a moment, ready to be painted."""

from typing import NamedTuple

import numpy as np

from savg_ray.scenes.pictures.body import Body, body_at
from savg_ray.scenes.pictures.equirect import pixel_bounds
from savg_ray.scenes.pictures.parts import PART, bounding_spheres
from savg_ray.scenes.script import Scene


class Cast(NamedTuple):
    """People and their instruments.

    Attributes:
        bodies: one for each person.
        parts: all solids, (P,) of `PART`, person by person.
        bounds: int64 (P, 4), first and last row and column that each can reach.
        owner: int16 (P,), the person of each solid of a body, -1 for an instrument's.
        areas: int64 (people, 4), the same for each person with instrument, a pixel wider.
    """

    bodies: list[Body]
    parts: np.ndarray
    bounds: np.ndarray
    owner: np.ndarray
    areas: np.ndarray


def cast_at(scene: Scene, time_s: float, width_px: int, height_px: int) -> Cast:
    """The people of a scene at a time, in a picture of a size."""
    bodies = [body_at(scene, person, time_s) for person in range(len(scene.people))]
    if not bodies:
        none = np.zeros((0, 4), np.int64)
        return Cast([], np.zeros(0, PART), none, np.zeros(0, np.int16), none)
    parts = np.concatenate([body.parts for body in bodies])
    bounds = pixel_bounds(bounding_spheres(parts), width_px, height_px)
    ends = np.cumsum([len(body.parts) for body in bodies])
    areas = [_area(part_bounds, width_px, height_px) for part_bounds in np.split(bounds, ends[:-1])]
    return Cast(bodies, parts, bounds, np.concatenate(_owners(bodies)), np.stack(areas))


def _owners(bodies: list[Body]) -> list[np.ndarray]:
    return [
        np.where(np.arange(len(body.parts)) < body.n_own, person, -1).astype(np.int16)
        for person, body in enumerate(bodies)
    ]


def _area(bounds: np.ndarray, width_px: int, height_px: int) -> np.ndarray:
    """What holds all pixels of a group's bounds, whose columns may be named on either side of the seam."""
    turns = np.round((bounds[:, 2:].sum(1) - bounds[0, 2:].sum()) / (2 * width_px)).astype(np.int64)
    columns = bounds[:, 2:] - turns[:, None] * width_px
    first_row, last_row = max(bounds[:, 0].min() - 1, 0), min(bounds[:, 1].max() + 1, height_px - 1)
    first, last = columns[:, 0].min() - 1, columns[:, 1].max() + 1
    return np.array([first_row, last_row, first, min(last, first + width_px - 1)], np.int64)
