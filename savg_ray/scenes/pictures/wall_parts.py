"""The solids of what hangs on a room's walls or stands in them: pictures, windows, doors."""

import numpy as np

from savg_ray.scenes.pictures.parts import (
    CANVAS,
    FOLDS,
    PANELS,
    SKY,
    Frame,
    Paint,
    block,
    ellipsoid,
    linear_rgb,
    plain,
    rounded_cone,
)
from savg_ray.scenes.script import Furniture

CLOTHS = ((86, 108, 132), (150, 92, 78), (110, 124, 92), (142, 134, 122), (172, 138, 84))
"""Colours of curtains, covers and rugs, 0 to 255."""


def picture_parts(piece: Furniture, frame: Frame, wood: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """A painting in a frame."""
    depth, width, height = max(piece.depth_m, 0.03) / 2, piece.width_m / 2, piece.height_m
    edge = 0.035
    canvas = Paint(bright_colour(rng), bright_colour(rng) * 0.7, CANVAS, (float(rng.integers(1 << 16)),))
    return [
        block(frame, (-depth, -width, 0), (0.8 * depth, width, height), plain(wood * 0.5)),
        block(
            frame,
            (-depth, -width + edge, edge),
            (depth, width - edge, height - edge),
            plain(linear_rgb(238, 234, 226)),
        ),
        block(
            frame,
            (-depth, -width + 2.4 * edge, 2.4 * edge),
            (1.1 * depth, width - 2.4 * edge, height - 2.4 * edge),
            canvas,
        ),
    ]


def window_parts(piece: Furniture, frame: Frame, wood: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """A window with a view, between curtains."""
    depth, width, height = max(piece.depth_m, 0.04) / 2, piece.width_m / 2, piece.height_m
    white, edge = plain(linear_rgb(236, 236, 232)), 0.06
    sky = Paint(wood, wood, SKY, (float(rng.uniform(0, 6)),))
    cloth = linear_rgb(*CLOTHS[rng.integers(len(CLOTHS))])
    curtain = Paint(cloth * 0.5 + 0.35, cloth, FOLDS, (float(rng.uniform(0, 6)),))
    parts = [
        block(frame, (-depth, -width, 0), (0.6 * depth, width, height), white),
        block(frame, (-depth, -width + edge, edge), (0.75 * depth, width - edge, height - edge), sky),
        block(frame, (-depth, -0.02, 0), (0.95 * depth, 0.02, height), white),
        block(frame, (-depth, -width, 0.62 * height), (0.95 * depth, width, 0.62 * height + 0.035), white),
        block(frame, (-depth, -width - 0.06, -0.05), (depth + 0.08, width + 0.06, 0.0), white),
    ]
    for left in (-1, 1):
        edges = sorted((left * (width + 0.14), left * (width - 0.16 * piece.width_m)))
        parts.append(block(frame, (-depth, edges[0], -0.22), (depth + 0.04, edges[1], height + 0.12), curtain))
    rail = (
        frame.point(depth + 0.03, -width - 0.22, height + 0.13),
        frame.point(depth + 0.03, width + 0.22, height + 0.13),
    )
    parts.append(rounded_cone(*rail, (0.018, 0.018), frame.axes[0], plain(wood * 0.5)))
    return parts


def door_parts(piece: Furniture, frame: Frame, wood: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """A panelled door in its frame."""
    depth, width, height = max(piece.depth_m, 0.04) / 2, piece.width_m / 2, piece.height_m
    leaf = Paint(wood * 1.05, wood, PANELS)
    metal = plain(linear_rgb(196, 190, 176))
    handle = (
        frame.point(depth + 0.05, 0.70 * width, 0.48 * height),
        frame.point(depth + 0.05, 0.86 * width, 0.48 * height),
    )
    return [
        block(
            frame,
            (-depth, -width - 0.08, 0),
            (0.7 * depth, width + 0.08, height + 0.08),
            plain(linear_rgb(232, 228, 220)),
        ),
        block(frame, (-depth, -width, 0.005), (depth, width, height), leaf),
        rounded_cone(*handle, (0.014, 0.014), frame.axes[2], metal),
        ellipsoid(frame.point(depth + 0.02, 0.86 * width, 0.48 * height), frame.axes, (0.03, 0.025, 0.025), metal),
    ]


def bright_colour(rng: np.random.Generator) -> np.ndarray:
    """A saturated colour."""
    hue = rng.uniform(0, 2 * np.pi)
    return 0.30 + 0.24 * np.cos(hue - np.array([0.0, 2.1, 4.2]))
