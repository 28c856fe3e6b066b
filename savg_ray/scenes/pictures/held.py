"""Instruments: where hands go to play them, and the solids that they are made of.

All places are (forward, left, up) from the floor under the player's axis, in shares of the player's height, so that
the instrument sounds from `script.emitter_place`.
"""

from collections.abc import Callable

import numpy as np

from savg_ray.scenes.pictures.motion import Motion
from savg_ray.scenes.pictures.parts import (
    BARS,
    PLANKS,
    Frame,
    Paint,
    box,
    ellipsoid,
    frustum,
    linear_rgb,
    plain,
    rounded_cone,
)
from savg_ray.scenes.script import Instrument

_PLACE = np.array([0.17, 0.0, 0.60])
_NECK = np.array([0.02, 0.90, 0.43]) / np.linalg.norm([0.02, 0.90, 0.43])
_HIGHEST_STRIKE = 0.055
_DARK, _METAL = linear_rgb(40, 34, 32), linear_rgb(198, 178, 110)


def hand_places(instrument: Instrument | None, motion: Motion) -> tuple[np.ndarray, np.ndarray] | None:
    """Where the left and the right wrist are; None without an instrument."""
    if instrument == "guitar":
        fret = 0.30 + 0.035 * np.sin(1.9 * motion.clock_s) * motion.playing
        strum = 0.030 * np.sin(2 * np.pi * motion.beat) * motion.playing
        left = _PLACE + fret * _NECK + np.array([-0.008, 0.0, -0.030])
        return left, _PLACE + np.array([0.022, -0.075, 0.040 + strum])
    if instrument == "marimba":
        wander = 0.06 * np.sin(0.8 * motion.clock_s) * motion.playing
        left = np.array([0.150, 0.115 + wander, 0.645 + 0.7 * _strike(motion, 0.0)])
        return left, np.array([0.150, -0.115 + wander, 0.645 + 0.7 * _strike(motion, 0.5)])
    if instrument == "cowbell":
        return _PLACE + np.array([-0.035, 0.062, -0.020]), np.array([0.120, -0.110, 0.640 + _strike(motion, 0.0)])
    if instrument == "rattle":
        shake = 0.030 * np.sin(2 * np.pi * motion.beat) * motion.playing
        return np.array([0.125, 0.080, 0.565 + shake]), np.array([0.125, -0.080, 0.565 - shake])
    return None


def held_parts(
    instrument: Instrument | None,
    motion: Motion,
    frame: Frame,
    height_m: float,
    hands: tuple[np.ndarray, np.ndarray],
) -> list[np.ndarray]:
    """Solids of what a player plays.

    Args:
        instrument: what it is.
        motion: what the player does.
        frame: on the floor under the player.
        height_m: of the player.
        hands: middle of the left and of the right hand, in the room.
    """
    if instrument is None:
        return []
    return _BUILDERS[instrument](motion, frame, height_m, hands)


def stand_places(instrument: Instrument | None, frame: Frame, height_m: float) -> np.ndarray:
    """Places on the floor, float64 (N, 3), that an instrument on a stand shades."""
    if instrument != "marimba":
        return np.zeros((0, 3))
    return np.stack([frame.point(0.275 * height_m, left * height_m, 0.0) for left in (-0.30, -0.10, 0.10, 0.30)])


def _strike(motion: Motion, offset: float) -> float:
    """How far a stick is lifted, in shares of the height: it falls fast and rises slowly."""
    return _HIGHEST_STRIKE * abs(float(np.sin(np.pi * (motion.beat / 2 + offset)))) * motion.playing


def _guitar(motion: Motion, frame: Frame, height_m: float, hands: tuple[np.ndarray, np.ndarray]) -> list[np.ndarray]:
    along = _NECK @ frame.axes
    front = frame.axes[0] - (frame.axes[0] @ along) * along
    front = front / np.linalg.norm(front)
    middle = frame.point(*(_PLACE * height_m))
    wood, top = plain(linear_rgb(104, 56, 28)), linear_rgb(206, 140, 70)

    def disc(share: float, radius: float, back: float, out: float, paint: Paint) -> np.ndarray:
        centre = middle + share * height_m * along
        ends = centre + back * height_m * front, centre + out * height_m * front
        return frustum(*ends, (radius * height_m, radius * height_m), along, paint)

    def bar(first: float, last: float, width: float, back: float, out: float, colour: np.ndarray) -> np.ndarray:
        centre = middle + (first + last) / 2 * height_m * along + (back + out) / 2 * height_m * front
        half = np.array([out - back, width, last - first]) / 2 * height_m
        return box(centre, np.stack([front, np.cross(along, front), along]), tuple(half), plain(colour))

    face = Paint(top, top, PLANKS, (1.0,))
    return [
        disc(-0.075, 0.108, -0.045, 0.004, wood),
        disc(0.075, 0.080, -0.045, 0.004, wood),
        disc(-0.075, 0.102, 0.0, 0.007, face),
        disc(0.075, 0.074, 0.0, 0.007, face),
        disc(0.030, 0.030, 0.0, 0.009, plain(_DARK)),
        bar(-0.110, -0.095, 0.075, 0.0, 0.012, _DARK),
        bar(0.060, 0.390, 0.028, -0.004, 0.013, linear_rgb(72, 44, 30)),
        bar(0.385, 0.480, 0.044, -0.010, 0.006, linear_rgb(60, 34, 24)),
        bar(-0.100, 0.400, 0.012, 0.0, 0.0145, linear_rgb(190, 186, 176)),
    ]


def _marimba(motion: Motion, frame: Frame, height_m: float, hands: tuple[np.ndarray, np.ndarray]) -> list[np.ndarray]:
    wood, brass = linear_rgb(176, 92, 48), plain(linear_rgb(206, 184, 120))

    def block(centre: tuple[float, float, float], half: tuple[float, float, float], paint: Paint) -> np.ndarray:
        place = frame.point(*(np.array(centre) * height_m))
        return box(place, frame.axes, tuple(np.array(half) * height_m), paint)

    bars = Paint(wood, _DARK, BARS, (0.040 * height_m,))
    parts = [
        block((0.215, 0.0, 0.585), (0.065, 0.36, 0.008), bars),
        block((0.335, 0.0, 0.600), (0.050, 0.34, 0.008), bars),
        block((0.275, 0.37, 0.565), (0.125, 0.012, 0.022), plain(_DARK)),
        block((0.275, -0.37, 0.565), (0.125, 0.012, 0.022), plain(_DARK)),
        block((0.275, 0.0, 0.12), (0.012, 0.36, 0.012), plain(_DARK)),
    ]
    for left in (-0.36, 0.36):
        for forward in (0.17, 0.38):
            parts.append(block((forward, left, 0.28), (0.012, 0.012, 0.28), plain(_DARK)))
    for tube in range(9):
        left = -0.32 + 0.08 * tube
        low, high = (0.22 + 0.028 * tube) * height_m, 0.57 * height_m
        ends = frame.point(0.27 * height_m, left * height_m, low), frame.point(0.27 * height_m, left * height_m, high)
        parts.append(frustum(*ends, (0.026 * height_m, 0.026 * height_m), frame.axes[0], brass))
    for hand, offset, yarn in ((hands[0], 0.0, (196, 60, 60)), (hands[1], 0.5, (60, 90, 180))):
        down = np.array([0.130, 0.0, -0.045 + 0.3 * _strike(motion, offset)]) * height_m
        tip = hand + down @ frame.axes
        parts.append(_stick(hand, tip, frame, height_m))
        parts.append(ellipsoid(tip, frame.axes, (0.017 * height_m,) * 3, plain(linear_rgb(*yarn))))
    return parts


def _cowbell(motion: Motion, frame: Frame, height_m: float, hands: tuple[np.ndarray, np.ndarray]) -> list[np.ndarray]:
    middle = frame.point(*(_PLACE * height_m))
    across = 0.055 * height_m * frame.axes[1]
    bell = frustum(
        middle + across, middle - across, (0.026 * height_m, 0.046 * height_m), frame.axes[2], plain(_METAL)
    )
    mouth = frustum(
        middle - across, middle - 1.04 * across, (0.040 * height_m, 0.040 * height_m), frame.axes[2], plain(_DARK)
    )
    tip = middle + 0.045 * height_m * frame.axes[2] + _strike(motion, 0.0) * height_m * frame.axes[2]
    return [bell, mouth, _stick(hands[1], tip, frame, height_m)]


def _rattle(motion: Motion, frame: Frame, height_m: float, hands: tuple[np.ndarray, np.ndarray]) -> list[np.ndarray]:
    parts = []
    for hand, colour in zip(hands, ((214, 84, 52), (60, 140, 92)), strict=True):
        ball = hand + np.array([0.028, 0.0, 0.062]) @ frame.axes * height_m
        parts.append(_stick(hand - 0.3 * (ball - hand), ball, frame, height_m))
        radii = (0.034 * height_m, 0.034 * height_m, 0.043 * height_m)
        parts.append(ellipsoid(ball, frame.axes, radii, plain(linear_rgb(*colour))))
    return parts


def _stick(start: np.ndarray, end: np.ndarray, frame: Frame, height_m: float) -> np.ndarray:
    radius_m = 0.006 * height_m
    return rounded_cone(start, end, (radius_m, radius_m), frame.axes[0], plain(linear_rgb(206, 170, 120)))


_BUILDERS: dict[Instrument, Callable[[Motion, Frame, float, tuple[np.ndarray, np.ndarray]], list[np.ndarray]]] = {
    "guitar": _guitar,
    "marimba": _marimba,
    "cowbell": _cowbell,
    "rattle": _rattle,
}
