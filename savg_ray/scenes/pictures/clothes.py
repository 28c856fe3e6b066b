"""Sleeves, trouser legs and skirts."""

import numpy as np

from savg_ray.scenes.pictures.look import Look
from savg_ray.scenes.pictures.parts import SPLIT, Paint, frustum, plain
from savg_ray.scenes.pictures.pose import THIGH, UPPER_ARM, Pose


def sleeve_paints(look: Look, height_m: float) -> tuple[Paint, Paint]:
    """Paint of the upper arm and the forearm."""
    if look.long_sleeves:
        return look.sleeve_paint(height_m), look.sleeve_paint(height_m)
    return Paint(look.top, look.skin, SPLIT, (0.62 * UPPER_ARM * height_m,)), plain(look.skin)


def leg_paints(look: Look, height_m: float) -> tuple[Paint, Paint]:
    """Paint of the thigh and the shin."""
    if look.skirt:
        # The hips are wider than the skirt's waist.
        cloth = look.top if look.dress else look.bottom
        return Paint(cloth, look.skin, SPLIT, (0.45 * THIGH * height_m,)), plain(look.skin)
    if look.shorts:
        return Paint(look.bottom, look.skin, SPLIT, (0.78 * THIGH * height_m,)), plain(look.skin)
    return plain(look.bottom), plain(look.bottom)


def skirt_part(pose: Pose, look: Look, height_m: float) -> list[np.ndarray]:
    """The skirt from the waist to the knees, swinging with them; nothing for those who wear none."""
    if not look.skirt:
        return []
    hips, knees = (pose.left_leg.hip + pose.right_leg.hip) / 2, (pose.left_leg.knee + pose.right_leg.knee) / 2
    stride_m = float(np.linalg.norm((pose.left_leg.knee - pose.right_leg.knee)[:2]))
    top = hips + 0.062 * height_m * pose.trunk.axes[2]
    hem = knees + 0.015 * height_m * pose.trunk.axes[2]
    radii = 0.056 * look.build * height_m, 0.060 * height_m + 0.38 * stride_m
    paint = plain(look.top if look.dress else look.bottom)
    return [frustum(top, hem, radii, pose.trunk.axes[0], paint, stretch=(1.15, 1.35))]
