"""A person's body as solids, dressed; and spheres that cover it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from savg_ray.scenes.pictures.clothes import leg_paints, skirt_part, sleeve_paints
from savg_ray.scenes.pictures.hair import hair_parts
from savg_ray.scenes.pictures.held import held_parts, stand_places
from savg_ray.scenes.pictures.look import Look, look_of
from savg_ray.scenes.pictures.motion import Motion, motion_at
from savg_ray.scenes.pictures.parts import FACE, Frame, Paint, crossed, ellipsoid, joined, plain, rounded_cone
from savg_ray.scenes.pictures.pose import HIP_UP, Arm, Leg, Pose, pose_at
from savg_ray.scenes.script import Scene


class Body(NamedTuple):
    """A person at a moment.

    Attributes:
        pose: of the joints.
        look: of skin, hair and clothes.
        height_m: floor to crown.
        parts: solids, (P,) of `PART`: first those of the body, then those of the instrument.
        n_own: how many are the body's.
        stand_m: float64 (N, 3), places on the floor that an instrument on a stand shades.
    """

    pose: Pose
    look: Look
    height_m: float
    parts: np.ndarray
    n_own: int
    stand_m: np.ndarray


def body_at(scene: Scene, person: int, time_s: float) -> Body:
    """A person of a scene at a time."""
    somebody = scene.people[person]
    look, motion = look_of(somebody), motion_at(scene, person, time_s)
    pose = pose_at(somebody, motion, shoulder_across(look), time_s, scene.room.eye_height_m)
    height = somebody.height_m
    own = _head(pose, look, motion, height) + hair_parts(pose.head, look, height) + _trunk(pose, look, height)
    for side, (arm, leg) in enumerate(((pose.left_arm, pose.left_leg), (pose.right_arm, pose.right_leg))):
        own += _arm(arm, look, height, pose.trunk, side) + _leg(leg, look, height, pose.trunk)
    own += skirt_part(pose, look, height)
    hands = _hand(pose.left_arm), _hand(pose.right_arm)
    parts = joined(own + held_parts(somebody.instrument, motion, pose.frame, height, hands))
    return Body(pose, look, height, parts, len(own), stand_places(somebody.instrument, pose.frame, height))


def shoulder_across(look: Look) -> float:
    """Half the distance between the shoulders' joints, in shares of the height."""
    return (0.096 if look.female else 0.112) * look.build


def _head(pose: Pose, look: Look, motion: Motion, height: float) -> list[np.ndarray]:
    head = _scaled(pose.head, height)
    forward, skin = pose.head.axes[0], plain(look.skin)
    face = Paint(look.skin, look.hair, FACE, (height, motion.mouth, motion.lids, look.beard))
    parts = [
        rounded_cone(
            head(0.016, 0, -0.002), head(0.006, 0, 0.047), (0.0295 * height, 0.0490 * height), forward, face,
            stretch=(1.16, 0.94),
        ),
        rounded_cone(
            head(0.056, 0, 0.036), head(0.062, 0, 0.021), (0.0055 * height, 0.0085 * height), forward, skin
        ),
        rounded_cone(
            head(-0.012, 0, -0.075), head(-0.004, 0, 0.015), (0.034 * height, 0.031 * height), forward,
            plain(look.skin * 0.80),
        ),
    ]  # fmt: skip
    for side in (-1, 1):
        ear = head(-0.006, side * 0.046, 0.030)
        parts.append(
            ellipsoid(ear, pose.head.axes, (0.011 * height, 0.006 * height, 0.017 * height), plain(look.skin * 0.9))
        )
    return parts


def _trunk(pose: Pose, look: Look, height: float) -> list[np.ndarray]:
    drop_m = float(pose.left_leg.hip[2] - pose.trunk.point(0, 0, HIP_UP * height)[2])
    frame = Frame(pose.trunk.point(0, 0, drop_m), pose.trunk.axes)
    at, forward = _scaled(frame, height), frame.axes[0]
    wide, across = look.build * height, shoulder_across(look)
    top = look.top_paint(Frame(at(0, 0, 0.64), frame.axes), height)
    lower = plain(look.top if look.dress else look.bottom)
    waist, hip = (0.047, 0.060) if look.female else (0.054, 0.057)
    parts = [
        _slab(at(0, -0.036, 0.530), at(0, 0.036, 0.530), (hip * height, hip * height), forward, lower, (1.05, 1.0)),
        _slab(at(0, 0, 0.557), at(0.004, 0, 0.655), (0.95 * hip * wide, waist * wide), forward, top, (1.07, 1.48)),
        _slab(at(0.004, 0, 0.655), at(0.002, 0, 0.758), (waist * wide, 0.062 * wide), forward, top, (1.06, 1.50)),
    ]
    for side in (-1, 1):
        ends = at(-0.006, side * 0.018, 0.812), at(-0.004, side * 0.90 * across, 0.797)
        parts.append(_slab(*ends, (0.034 * height, 0.033 * height), forward, top, (1.10, 1.0)))
    if look.female:
        chest = at(0.034, 0, 0.742)
        parts.append(ellipsoid(chest, frame.axes, (0.040 * height, 0.080 * wide, 0.048 * height), top))
    return parts


def _slab(
    start: np.ndarray,
    end: np.ndarray,
    radii_m: tuple[float, float],
    forward: np.ndarray,
    paint: Paint,
    stretch: tuple[float, float],
) -> np.ndarray:
    return rounded_cone(start, end, radii_m, forward, paint, stretch=stretch)


def _arm(arm: Arm, look: Look, height: float, trunk: Frame, side: int) -> list[np.ndarray]:
    forward, thick = trunk.axes[0], 0.92 if look.female else 1.0
    upper, lower = sleeve_paints(look, height)
    slim = thick * height
    along = arm.tip - arm.wrist
    palm = arm.wrist + 0.55 * along
    inward = trunk.axes[1] * (-1 if side == 0 else 1)
    thumb = arm.wrist + 0.5 * along + 0.016 * height * (0.6 * forward + 0.4 * inward)
    return [
        rounded_cone(arm.shoulder, arm.elbow, (0.034 * slim, 0.0245 * slim), forward, upper),
        rounded_cone(arm.elbow, arm.wrist, (0.0245 * slim, 0.0175 * slim), forward, lower),
        rounded_cone(arm.wrist + 0.2 * along, palm, (0.0175 * slim, 0.0200 * slim), forward, plain(look.skin)),
        rounded_cone(palm, arm.tip, (0.0190 * slim, 0.0125 * slim), forward, plain(look.skin)),
        rounded_cone(palm - 0.2 * along, thumb, (0.0090 * slim, 0.0080 * slim), forward, plain(look.skin)),
    ]


def _leg(leg: Leg, look: Look, height: float, trunk: Frame) -> list[np.ndarray]:
    forward, build = trunk.axes[0], look.build * height
    upper, lower = leg_paints(look, height)
    ahead = leg.toe - leg.heel
    up = crossed(crossed(ahead, trunk.axes[2]), ahead)
    return [
        rounded_cone(leg.hip, leg.knee, (0.050 * build, 0.036 * build), forward, upper),
        rounded_cone(leg.knee, leg.ankle, (0.035 * build, 0.023 * build), forward, lower),
        rounded_cone(
            leg.heel, leg.toe, (0.0235 * height, 0.0195 * height), up, plain(look.shoes), stretch=(0.9, 1.05)
        ),
    ]


def _hand(arm: Arm) -> np.ndarray:
    return 0.4 * arm.wrist + 0.6 * arm.tip


def _scaled(frame: Frame, height: float) -> Callable[[float, float, float], np.ndarray]:
    return lambda forward, left, up: frame.point(forward * height, left * height, up * height)
