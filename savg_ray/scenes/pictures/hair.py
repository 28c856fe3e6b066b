"""Hair: a cap on the skull, and what hangs or stands from it."""

import numpy as np

from savg_ray.scenes.pictures.look import BUN, CROP, CURLS, LONG, TAIL, Look
from savg_ray.scenes.pictures.parts import HAIR, Frame, Paint, ellipsoid, rounded_cone

_HAIRLINE, _CURLY_HAIRLINE = (-0.52, 0.0, 0.85, -0.17), (-0.66, 0.0, 0.75, -0.27)


def hair_parts(head: Frame, look: Look, height_m: float) -> list[np.ndarray]:
    """Solids of a head's hair; ``head`` is on the height of the mouth at the body's axis."""
    paint = Paint(look.hair, look.hair, HAIR, (16.0, 4.0))
    thick = {CROP: 0.0585, CURLS: 0.0700}.get(look.hair_style, 0.0600)

    def at(forward: float, left: float, up: float) -> np.ndarray:
        return head.point(forward * height_m, left * height_m, up * height_m)

    radii = (1.12 * thick * height_m, 0.97 * thick * height_m, thick * height_m)
    hairline = _CURLY_HAIRLINE if look.hair_style == CURLS else _HAIRLINE
    skull = at(0.003, 0.0, 0.048 if look.hair_style == CURLS else 0.044)
    parts = [ellipsoid(skull, head.axes, radii, paint, hairline)]
    if look.hair_style == LONG:
        ends = at(-0.026, 0, 0.045), at(-0.044, 0, -0.065)
        parts.append(
            rounded_cone(*ends, (0.046 * height_m, 0.034 * height_m), head.axes[0], paint, stretch=(0.75, 1.15))
        )
        for side in (-1, 1):
            lock = at(-0.008, side * 0.042, 0.045), at(-0.010, side * 0.050, -0.050)
            parts.append(rounded_cone(*lock, (0.016 * height_m, 0.013 * height_m), head.axes[0], paint))
    elif look.hair_style == TAIL:
        tie, end = at(-0.062, 0, 0.060), at(-0.080, 0, -0.030)
        parts.append(rounded_cone(tie, end, (0.022 * height_m, 0.012 * height_m), head.axes[0], paint))
    elif look.hair_style == BUN:
        parts.append(ellipsoid(at(-0.050, 0, 0.085), head.axes, (0.027 * height_m,) * 3, paint))
    return parts
