"""Where a person's joints are at a moment: standing, walking, speaking, clapping, playing."""

from typing import NamedTuple

import numpy as np

from savg_ray.scenes.pictures.held import hand_places
from savg_ray.scenes.pictures.motion import Motion
from savg_ray.scenes.pictures.parts import Frame, upright_axes
from savg_ray.scenes.script import Person, PersonState, emitter_place

# Lengths in shares of the person's height.
THIGH, SHIN, UPPER_ARM, FOREARM = 0.245, 0.243, 0.168, 0.150
ANKLE_UP, HIP_UP, HIP_ACROSS, SHOULDER_UP = 0.042, 0.522, 0.050, 0.806
_CROUCH, _BOB, _FOOT_LIFT = 0.004, 0.012, 0.050
_HALF_STEP_M = 0.325
_LOOK_AHEAD_S = 0.05


class Leg(NamedTuple):
    """A leg's joints in the room, metres; ``toe`` is the ball of the foot."""

    hip: np.ndarray
    knee: np.ndarray
    ankle: np.ndarray
    heel: np.ndarray
    toe: np.ndarray


class Arm(NamedTuple):
    """An arm's joints in the room, metres; ``tip`` is where the fingers end."""

    shoulder: np.ndarray
    elbow: np.ndarray
    wrist: np.ndarray
    tip: np.ndarray


class Pose(NamedTuple):
    """A person's joints.

    Attributes:
        frame: on the floor under the body's axis, facing where the chest points.
        trunk: the same, moved by sway and bob.
        head: the frame of the head, at the body's axis on the height of the mouth.
        left_leg, right_leg, left_arm, right_arm: limbs.
    """

    frame: Frame
    trunk: Frame
    head: Frame
    left_leg: Leg
    right_leg: Leg
    left_arm: Arm
    right_arm: Arm


def pose_at(person: Person, motion: Motion, shoulder_across: float, time_s: float, eye_height_m: float) -> Pose:
    """A person's joints at a time; ``shoulder_across`` is half the shoulders' width in shares of the height."""
    state = person.at(time_s)
    height = person.height_m
    frame = Frame(np.array([state.x_m, state.y_m, -eye_height_m]), upright_axes(state.heading_deg))
    walk = state.walking
    cycle = 2 * np.pi * state.stride
    sway_m = (1 - walk) * 0.007 * np.sin(0.9 * motion.clock_s) + walk * 0.010 * np.sin(cycle)
    bob_m = walk * height * -_BOB * (1 + np.cos(2 * cycle))
    trunk = Frame(frame.point(0.0, sway_m, bob_m), frame.axes)
    nod = 0.03 * np.sin(1.7 * motion.clock_s) * motion.gesture
    turn_deg = 4 * np.sin(0.53 * motion.clock_s)
    mouth = emitter_place(person, "mouth", time_s, eye_height_m)
    head_axes = _tilted(upright_axes(state.heading_deg + turn_deg), nod)
    head = Frame(np.array([state.x_m, state.y_m, mouth[2]]) + 0.6 * (trunk.origin - frame.origin), head_axes)
    legs = [_leg(person, state, frame, trunk, side, time_s) for side in (1, -1)]
    arms = [_arm(person, state, motion, trunk, side, shoulder_across) for side in (1, -1)]
    return Pose(frame, trunk, head, legs[0], legs[1], arms[0], arms[1])


def bent(start: np.ndarray, end: np.ndarray, first_m: float, second_m: float, toward: np.ndarray) -> np.ndarray:
    """The middle joint of two bones between two places, bent ``toward`` a direction: float64 (3,)."""
    reach = end - start
    length = max(float(np.linalg.norm(reach)), 1e-6)
    along = reach / length
    share_m = (first_m**2 - second_m**2 + length**2) / (2 * length)
    share_m = min(max(share_m, -first_m), first_m)
    out = toward - (toward @ along) * along
    out = out / max(float(np.linalg.norm(out)), 1e-6)
    return start + share_m * along + np.sqrt(max(first_m**2 - share_m**2, 0.0)) * out


def _tilted(axes: np.ndarray, down_rad: float) -> np.ndarray:
    c, s = np.cos(down_rad), np.sin(down_rad)
    return np.stack([c * axes[0] - s * axes[2], axes[1], c * axes[2] + s * axes[0]])


def _within_reach(start: np.ndarray, end: np.ndarray, longest_m: float) -> np.ndarray:
    reach = end - start
    return start + reach * min(1.0, longest_m / max(float(np.linalg.norm(reach)), 1e-6))


def _leg(person: Person, state: PersonState, frame: Frame, trunk: Frame, side: int, time_s: float) -> Leg:
    """A leg; a foot on the floor stays where it is while the body moves on."""
    height, walk = person.height_m, state.walking
    way = _way(person, time_s, frame)
    phase = (state.stride + (0.0 if side > 0 else 0.5)) % 1.0
    along_m, lift, pitch = _step(phase)
    along_m, lift, pitch = along_m * walk, lift * walk * height * _FOOT_LIFT, pitch * walk
    across_m = side * height * (0.056 - 0.016 * walk)
    ankle = frame.point(0.0, across_m, ANKLE_UP * height + lift) + along_m * way
    hip = trunk.point(0.0, side * HIP_ACROSS * height, (HIP_UP - _CROUCH * walk) * height)
    ankle = _within_reach(hip, ankle, 0.998 * (THIGH + SHIN) * height)
    splay = side * 0.17 * (1 - walk)
    ahead = frame.axes[0] * np.cos(splay) + frame.axes[1] * np.sin(splay)
    knee = bent(hip, ankle, THIGH * height, SHIN * height, ahead)
    up = frame.axes[2]
    sole = np.cos(pitch) * ahead + np.sin(pitch) * up
    above = np.cos(pitch) * up - np.sin(pitch) * ahead
    heel = ankle - 0.020 * height * sole - 0.020 * height * above
    toe = ankle + 0.088 * height * sole - 0.024 * height * above
    return Leg(hip, knee, ankle, heel, toe)


def _way(person: Person, time_s: float, frame: Frame) -> np.ndarray:
    """The direction that a person walks in; forward when standing."""
    before, after = person.at(time_s - _LOOK_AHEAD_S), person.at(time_s + _LOOK_AHEAD_S)
    moved = np.array([after.x_m - before.x_m, after.y_m - before.y_m, 0.0])
    length_m = float(np.linalg.norm(moved))
    return moved / length_m if length_m > 1e-6 else frame.axes[0]


def _step(phase: float) -> tuple[float, float, float]:
    """Of a foot in its cycle: metres ahead of the body, lift 0 to 1, and radians that the toes point up."""
    if phase < 0.5:
        share = 2 * phase
        return _HALF_STEP_M * (1 - 2 * share), 0.0, 0.25 * max(0.0, 1 - 6 * share) - 0.35 * max(0.0, 4 * share - 3)
    share = 2 * phase - 1
    eased = share * share * (3 - 2 * share)
    return _HALF_STEP_M * (2 * eased - 1), float(np.sin(np.pi * share)), -0.6 * (1 - share) + 0.25 * share


def _arm(person: Person, state: PersonState, motion: Motion, trunk: Frame, side: int, shoulder_across: float) -> Arm:
    height = person.height_m
    shoulder_up = SHOULDER_UP - _CROUCH * state.walking
    shoulder = trunk.point(0.0, side * shoulder_across * height, shoulder_up * height)
    wrist = _wrist(person, state, motion, trunk, side, shoulder_across)
    longest_m = (UPPER_ARM + FOREARM) * height
    wrist = _within_reach(shoulder, wrist, 0.995 * longest_m)
    out = np.array([-0.75, 0.55 * side, -0.45]) @ trunk.axes
    elbow = bent(shoulder, wrist, UPPER_ARM * height, FOREARM * height, out)
    along = (wrist - elbow) / max(float(np.linalg.norm(wrist - elbow)), 1e-6)
    return Arm(shoulder, elbow, wrist, wrist + 0.055 * height * along)


def _wrist(
    person: Person, state: PersonState, motion: Motion, trunk: Frame, side: int, shoulder_across: float
) -> np.ndarray:
    """Where a wrist is: hanging or swinging, speaking, clapping, or at the instrument."""
    height = person.height_m
    swing = -np.sin(2 * np.pi * (state.stride + 0.25)) * side * state.walking
    forward = 0.030 + 0.105 * swing
    place = np.array([forward, side * (shoulder_across + 0.030), 0.495 - _CROUCH * state.walking + 0.02 * abs(swing)])
    beat = motion.clock_s * 2 * np.pi
    talk = np.array(
        [
            0.165 + 0.030 * np.sin(0.9 * beat + side),
            side * (0.085 + 0.035 * np.sin(0.47 * beat + 2 * side)),
            0.655 + 0.045 * np.sin(0.71 * beat + 1.3 * side),
        ]
    )
    share = motion.gesture * (1.0 if np.sin(0.31 * motion.clock_s) * side > -0.4 else 0.15)
    place = place + share * (talk - place)
    held = hand_places(person.instrument, motion)
    if held is not None:
        place = held[0] if side > 0 else held[1]
    clapping = np.array([0.165, side * (0.022 + 0.05 * (0.5 + 0.5 * np.cos(2 * np.pi * motion.clap))), 0.675])
    place = place + motion.clapping * (clapping - place)
    return trunk.point(*(place * height))
