"""Small compiled functions that colour patterns are built from; none makes edges sharper than a pixel."""

import numpy as np

from savg_ray.scenes.pictures.compiled import compiled


@compiled
def beyond(value: float, edge: float, pixel: float) -> float:
    """0 below an edge and 1 above it, sloping over one pixel (in the value's unit)."""
    return min(max((value - edge) / pixel + 0.5, 0.0), 1.0)


@compiled
def within(distance: float, pixel: float) -> float:
    """1 inside of a signed distance of zero and 0 outside."""
    return 1.0 - beyond(distance, 0.0, pixel)


@compiled
def ellipse(x: float, y: float, half_x: float, half_y: float) -> float:
    """About the distance to an ellipse's edge, negative inside."""
    kx, ky = x / half_x, y / half_y
    return (np.sqrt(kx * kx + ky * ky) - 1) * min(half_x, half_y)


@compiled
def line_share(value: float, period: float, width: float, pixel: float) -> float:
    """How much of a pixel lies on lines of a width that repeat with a period, the first centred at zero."""
    if pixel > period:
        return width / period
    off = abs(value - period * np.floor(value / period + 0.5))
    covered = min(off + pixel / 2, width / 2) - max(off - pixel / 2, -width / 2)
    return min(max(covered / pixel, 0.0), 1.0)


@compiled
def lottery(a: int, b: int, c: int) -> float:
    """A number from 0 to 1 that looks drawn but depends on three whole numbers only."""
    mixed = (a * 73856093) ^ (b * 19349663) ^ (c * 83492791)
    mixed = (mixed ^ (mixed >> 13)) * 1274126177 & 0x7FFFFFFF
    return ((mixed ^ (mixed >> 16)) & 0xFFFF) / 65536.0


@compiled
def mix(a: tuple[float, float, float], b: tuple[float, float, float], share: float) -> tuple[float, float, float]:
    """The colour between two, nearer to the second the greater the share."""
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share


@compiled
def dimmed(colour: tuple[float, float, float], factor: float) -> tuple[float, float, float]:
    """A colour with less or more light."""
    return colour[0] * factor, colour[1] * factor, colour[2] * factor
