"""The solids of a room's furniture."""

from collections.abc import Callable

import numpy as np

from savg_ray.scenes.pictures.parts import (
    BOOKS,
    DOORS,
    GLOW,
    LEAF,
    PLANKS,
    WEAVE,
    Frame,
    Paint,
    block,
    ellipsoid,
    frustum,
    joined,
    linear_rgb,
    plain,
    rounded_cone,
    upright_axes,
)
from savg_ray.scenes.pictures.wall_parts import CLOTHS, bright_colour, door_parts, picture_parts, window_parts
from savg_ray.scenes.script import Furniture, Room

_WOODS = ((158, 112, 70), (120, 82, 52), (196, 160, 116), (214, 206, 194))
_BOOK_ROW_M = 0.34
_LEAVES = 16


def furniture_parts(room: Room) -> np.ndarray:
    """Solids of all furniture, (P,) of `PART`; a piece faces the azimuth of its yaw, its width runs across that."""
    rng = np.random.Generator(np.random.PCG64([room.palette, 1]))
    wood = _WOODS[rng.integers(len(_WOODS))]
    parts: list[np.ndarray] = []
    for piece in room.furniture:
        origin = np.array([piece.x_m, piece.y_m, piece.bottom_m - room.eye_height_m])
        frame = Frame(origin, upright_axes(piece.yaw_deg))
        parts += _BUILDERS[piece.kind](piece, frame, linear_rgb(*wood), rng)
    return joined(parts)


def _wooden(colour: np.ndarray, rng: np.random.Generator) -> Paint:
    return Paint(colour, colour, PLANKS, (float(rng.uniform(0, 6)),))


def _table(piece: Furniture, frame: Frame, wood: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    depth, width, height = piece.depth_m / 2, piece.width_m / 2, piece.height_m
    paint = _wooden(wood, rng)
    parts = [block(frame, (-depth, -width, height - 0.045), (depth, width, height), paint)]
    parts.append(
        block(
            frame,
            (-0.9 * depth, -0.92 * width, height - 0.12),
            (0.9 * depth, 0.92 * width, height - 0.045),
            plain(wood * 0.7),
        )
    )
    for forward in (-1, 1):
        for left in (-1, 1):
            top = frame.point(forward * (depth - 0.06), left * (width - 0.06), height - 0.04)
            foot = frame.point(forward * (depth - 0.05), left * (width - 0.05), 0.0)
            parts.append(frustum(foot, top, (0.022, 0.034), frame.axes[0], plain(wood * 0.85)))
    return parts + _on_table(depth, width, height, frame, rng)


def _on_table(depth: float, width: float, height: float, frame: Frame, rng: np.random.Generator) -> list[np.ndarray]:
    """A mug and a pile of books."""
    left = float(rng.uniform(-0.5, 0.5)) * width
    mug = frame.point(0.3 * depth, left, height), frame.point(0.3 * depth, left, height + 0.10)
    parts = [frustum(*mug, (0.038, 0.042), frame.axes[0], plain(bright_colour(rng)))]
    side = -np.sign(left) * 0.55 * width
    for level in range(3):
        low = height + 0.035 * level
        shift = 0.02 * level
        corner = (-0.10 + shift, side - 0.13, low), (0.10 + shift, side + 0.13, low + 0.033)
        parts.append(block(frame, *corner, plain(bright_colour(rng) * 0.8)))
    return parts


def _sofa(piece: Furniture, frame: Frame, wood: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    depth, width, height = piece.depth_m / 2, piece.width_m / 2, piece.height_m
    colour = linear_rgb(*CLOTHS[rng.integers(len(CLOTHS))])
    cloth, darker = Paint(colour, colour, WEAVE), Paint(colour * 0.8, colour, WEAVE)
    seat = 0.45 * height
    arm_radius = min(0.11, 0.2 * width)
    parts = [
        block(frame, (-depth, -width, 0.07), (0.92 * depth, width, seat - 0.04), darker),
        block(frame, (-depth, -width, 0.07), (-0.45 * depth, width, 0.92 * height), darker),
    ]
    roll = (
        frame.point(-0.72 * depth, -width + 0.1, 0.90 * height),
        frame.point(-0.72 * depth, width - 0.1, 0.90 * height),
    )
    parts.append(rounded_cone(*roll, (0.1, 0.1), frame.axes[2], cloth, stretch=(0.9, 1.3)))
    for left in (-1, 1):
        arm = left * (width - arm_radius)
        ends = frame.point(-0.9 * depth, arm, 0.62 * height), frame.point(0.82 * depth, arm, 0.60 * height)
        parts.append(rounded_cone(*ends, (arm_radius, arm_radius), frame.axes[2], cloth))
        parts.append(
            block(
                frame,
                (-depth, arm - 0.9 * arm_radius, 0.07),
                (0.9 * depth, arm + 0.9 * arm_radius, 0.6 * height),
                cloth,
            )
        )
    places = max(2, round(2 * (width - 2 * arm_radius) / 0.65))
    span = 2 * (width - 2 * arm_radius) / places
    for place in range(places):
        middle = -(width - 2 * arm_radius) + span * (place + 0.5)
        low = frame.point(0.2 * depth, middle, seat)
        parts.append(ellipsoid(low, frame.axes, (0.82 * depth, 0.54 * span, 0.10), cloth))
        back = frame.point(-0.42 * depth, middle, 0.70 * height)
        parts.append(ellipsoid(back, frame.axes, (0.12, 0.52 * span, 0.30 * height), cloth))
    pillow = frame.point(-0.1 * depth, -0.55 * width, seat + 0.20)
    parts.append(ellipsoid(pillow, frame.axes, (0.08, 0.19, 0.17), plain(bright_colour(rng))))
    return parts


def _shelf(piece: Furniture, frame: Frame, wood: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    depth, width, height = piece.depth_m / 2, piece.width_m / 2, piece.height_m
    paint = _wooden(wood, rng)
    rows = max(1, round(height / _BOOK_ROW_M))
    pitch = (height - 0.03) / rows
    parts = [block(frame, (-depth, -width, 0), (-depth + 0.02, width, height), plain(wood * 0.45))]
    for side in (-1, 1):
        edges = sorted((side * width, side * (width - 0.03)))
        parts.append(block(frame, (-depth, edges[0], 0), (depth, edges[1], height), paint))
    for row in range(rows + 1):
        parts.append(block(frame, (-depth, -width, row * pitch), (depth, width, row * pitch + 0.03), paint))
    for row in range(rows):
        low = row * pitch + 0.03
        books = Paint(wood, wood, BOOKS, (float(rng.integers(1, 1 << 20)),))
        parts.append(
            block(frame, (-depth + 0.02, -width + 0.03, low), (depth - 0.07, width - 0.03, low + pitch - 0.04), books)
        )
    return parts


def _cabinet(piece: Furniture, frame: Frame, wood: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    depth, width, height = piece.depth_m / 2, piece.width_m / 2, piece.height_m
    columns = float(max(1, round(piece.width_m / 0.5)))
    doors = Paint(wood, linear_rgb(200, 190, 150), DOORS, (columns,))
    return [
        block(frame, (-depth, -width + 0.03, 0), (depth - 0.04, width - 0.03, 0.08), plain(wood * 0.3)),
        block(frame, (-depth, -width, 0.08), (depth - 0.01, width, height - 0.03), doors),
        block(
            frame, (-depth, -width - 0.015, height - 0.03), (depth + 0.01, width + 0.015, height), _wooden(wood, rng)
        ),
    ]


def _plant(piece: Furniture, frame: Frame, wood: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    radius, height = min(piece.width_m, piece.depth_m) / 2, piece.height_m
    pot_m = min(0.38, 0.34 * height)
    pot = frame.point(0, 0, 0), frame.point(0, 0, pot_m)
    parts = [frustum(*pot, (0.40 * radius, 0.58 * radius), frame.axes[0], plain(bright_colour(rng) * 0.8))]
    green = linear_rgb(58, 118, 52) * float(rng.uniform(0.8, 1.3))
    parts.append(
        rounded_cone(pot[1], frame.point(0, 0, 0.7 * height), (0.02, 0.012), frame.axes[0], plain(wood * 0.5))
    )
    for leaf in range(_LEAVES):
        turn = 2.4 * leaf + float(rng.uniform(-0.3, 0.3))
        share = (leaf + 0.5) / _LEAVES
        rise = pot_m + (height - pot_m) * (0.22 + 0.62 * share)
        out = radius * (0.60 - 0.35 * share)
        outward = np.array([np.cos(turn), np.sin(turn), 0.0])
        along = (outward + np.array([0, 0, 0.35 + 1.1 * share])) @ frame.axes
        centre = frame.point(*(out * outward[:2]), rise)
        axes = np.roll(_blade(along), 1, axis=0)
        length = 0.5 * radius + 0.10 * height
        parts.append(ellipsoid(centre, axes, (length, 0.36 * length, 0.035), Paint(green, green * 1.7, LEAF)))
    return parts


def _blade(along: np.ndarray) -> np.ndarray:
    """Axes across, through and along a leaf, rolled by the caller so that its length comes first."""
    direction = along / np.linalg.norm(along)
    across = np.cross(np.array([0.0, 0.0, 1.0]), direction)
    across = across / max(float(np.linalg.norm(across)), 1e-6)
    return np.stack([across, np.cross(direction, across), direction])


def _lamp(piece: Furniture, frame: Frame, wood: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    radius, height = min(piece.width_m, piece.depth_m) / 2, piece.height_m
    metal, axis = plain(linear_rgb(70, 68, 66)), frame.axes[0]
    shade_m = 0.24 * height
    glow = Paint(linear_rgb(255, 232, 186), linear_rgb(255, 255, 230), GLOW)
    return [
        frustum(frame.point(0, 0, 0), frame.point(0, 0, 0.03), (0.65 * radius, 0.6 * radius), axis, metal),
        rounded_cone(frame.point(0, 0, 0.02), frame.point(0, 0, height - 0.05), (0.014, 0.014), axis, metal),
        frustum(frame.point(0, 0, height - shade_m), frame.point(0, 0, height), (radius, 0.62 * radius), axis, glow),
    ]


def _rug(piece: Furniture, frame: Frame, wood: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    depth, width = piece.depth_m / 2, piece.width_m / 2
    colour, edge = linear_rgb(*CLOTHS[rng.integers(len(CLOTHS))]), 0.12
    inner = (depth - edge, width - edge)
    centre = (0.45 * depth, 0.45 * width)
    light = colour * 0.5 + 0.3
    return [
        block(frame, (-depth, -width, 0), (depth, width, 0.008), Paint(colour * 0.7, colour, WEAVE)),
        block(frame, (-inner[0], -inner[1], 0), (*inner, 0.012), Paint(light, colour, WEAVE)),
        block(frame, (-centre[0], -centre[1], 0), (*centre, 0.014), Paint(colour, colour, WEAVE)),
    ]


_BUILDERS: dict[str, Callable[[Furniture, Frame, np.ndarray, np.random.Generator], list[np.ndarray]]] = {
    "table": _table,
    "sofa": _sofa,
    "shelf": _shelf,
    "cabinet": _cabinet,
    "plant": _plant,
    "lamp": _lamp,
    "picture": picture_parts,
    "window": window_parts,
    "door": door_parts,
    "rug": _rug,
}
