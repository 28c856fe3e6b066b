"""Colours of furniture: wood, book spines, doors, paintings, window panes, cloth."""

import numpy as np

from savg_ray.scenes.pictures.compiled import compiled
from savg_ray.scenes.pictures.parts import BOOKS, CANVAS, DOORS, FOLDS, LEAF, PANELS, PLANKS, SKY, WEAVE
from savg_ray.scenes.pictures.patterns import beyond, dimmed, ellipse, line_share, lottery, mix, within


@compiled
def furniture_colour(
    pattern: int,
    first: tuple[float, float, float],
    second: tuple[float, float, float],
    px: float,
    py: float,
    pz: float,
    hx: float,
    hy: float,
    hz: float,
    pixel_m: float,
    seed: float,
) -> tuple[float, float, float]:
    """Linear RGB at a point of a solid; x is its depth, y its width, z up, and ``hx, hy, hz`` its half sizes."""
    if pattern == PLANKS:
        grain = np.sin(60 * px + 9 * np.sin(3 * py + seed)) * np.sin(45 * pz + 7 * np.sin(2.5 * py))
        return dimmed(first, 1.0 + 0.10 * grain * min(1.0, 0.02 / pixel_m))
    if pattern == BOOKS:
        return _books(first, py, pz, hy, hz, pixel_m, int(seed))
    if pattern == DOORS:
        return _doors(first, second, px, py, pz, hx, hy, hz, pixel_m, seed)
    if pattern == PANELS:
        return _panels(first, py, pz, hy, hz, pixel_m)
    if pattern == CANVAS:
        return _canvas(first, second, py / hy, pz / hz, pixel_m / hy, int(seed))
    if pattern == SKY:
        return _sky(py / hy, pz / hz, pixel_m / hz, seed)
    if pattern == WEAVE:
        thread = np.sin(150 * py) * np.sin(150 * (pz + px)) * min(1.0, 0.006 / pixel_m)
        return dimmed(first, 1.0 + 0.06 * thread)
    if pattern == FOLDS:
        return dimmed(first, 0.86 + 0.18 * np.sin(55 * py + seed) * min(1.0, 0.03 / pixel_m))
    if pattern == LEAF:
        vein = within(abs(py) - 0.05, 0.1)
        return mix(dimmed(first, 0.85 + 0.25 * pz), second, 0.5 * vein)
    return first


@compiled
def _books(
    board: tuple[float, float, float], py: float, pz: float, hy: float, hz: float, pixel_m: float, seed: int
) -> tuple[float, float, float]:
    width_m = 0.045
    book = int(np.floor(py / width_m))
    hue, height = lottery(book, seed, 1), 0.62 + 0.36 * lottery(book, seed, 2)
    light = 0.08 + 0.45 * lottery(book, seed, 3)
    colour = (
        light * (0.55 + 0.45 * np.cos(6.283 * hue)),
        light * (0.55 + 0.45 * np.cos(6.283 * (hue - 0.33))),
        light * (0.55 + 0.45 * np.cos(6.283 * (hue - 0.67))),
    )
    label = within(abs(pz + 0.2 * hz) - 0.012, pixel_m)
    colour = mix(colour, (0.75, 0.70, 0.55), 0.7 * label)
    colour = mix(colour, dimmed(colour, 0.3), line_share(py, width_m, 0.006, pixel_m))
    top = -hz + 2 * hz * height
    missing = 1.0 if lottery(book // 4, seed, 4) < 0.18 else 0.0
    return mix(colour, dimmed(board, 0.28), max(missing, beyond(pz, top, pixel_m)))


@compiled
def _doors(
    wood: tuple[float, float, float],
    knob: tuple[float, float, float],
    px: float,
    py: float,
    pz: float,
    hx: float,
    hy: float,
    hz: float,
    pixel_m: float,
    columns: float,
) -> tuple[float, float, float]:
    if abs(px) < 0.98 * hx:
        return wood
    width = 2 * hy / columns
    cell = (py + hy) - width * (np.floor((py + hy) / width) + 0.5)
    edge = min(width / 2 - abs(cell), hz - abs(pz))
    colour = mix(wood, dimmed(wood, 0.4), within(edge - 0.010, pixel_m))
    inset = within(abs(edge - 0.055) - 0.006, pixel_m)
    colour = mix(colour, dimmed(wood, 0.75), inset)
    return mix(colour, knob, within(ellipse(abs(cell) - 0.38 * width, pz - 0.1 * hz, 0.018, 0.018), pixel_m))


@compiled
def _panels(
    wood: tuple[float, float, float], py: float, pz: float, hy: float, hz: float, pixel_m: float
) -> tuple[float, float, float]:
    across = abs(py) - 0.36 * hy
    colour = wood
    for low, high in ((-0.80, -0.08), (0.08, 0.82)):
        middle, half = hz * (low + high) / 2, hz * (high - low) / 2
        frame = max(abs(across - 0.12 * hy) - 0.34 * hy, abs(pz - middle) - half)
        colour = mix(colour, dimmed(wood, 0.84), within(frame, pixel_m))
        colour = mix(colour, dimmed(wood, 0.50), within(abs(frame) - 0.008, pixel_m))
    return colour


@compiled
def _canvas(
    first: tuple[float, float, float], second: tuple[float, float, float], y: float, z: float, pixel: float, seed: int
) -> tuple[float, float, float]:
    """Three kinds of painting: hills under a sun, circles, bands; y and z run from -1 to 1."""
    kind = seed % 3
    if kind == 0:
        colour = mix(first, (0.85, 0.80, 0.65), 0.5 + 0.4 * z)
        colour = mix(colour, (0.9, 0.55, 0.2), within(ellipse(y - 0.35, z - 0.35, 0.22, 0.22), pixel))
        far = 0.05 + 0.25 * np.sin(2.3 * y + seed)
        near = -0.35 + 0.20 * np.sin(1.7 * y - seed)
        colour = mix(colour, mix(second, first, 0.4), 1 - beyond(z, far, pixel))
        return mix(colour, dimmed(second, 0.6), 1 - beyond(z, near, pixel))
    if kind == 1:
        colour = (0.78, 0.74, 0.66)
        for k in range(5):
            radius = 0.15 + 0.3 * lottery(k, seed, 5)
            inside = within(
                ellipse(y - 1.3 * lottery(k, seed, 6) + 0.65, z - 1.3 * lottery(k, seed, 7) + 0.65, radius, radius),
                pixel,
            )
            colour = mix(colour, mix(first, second, lottery(k, seed, 8)), 0.85 * inside)
        return colour
    band = np.floor((y + 1) * 3.0) + 0.0
    colour = mix(first, second, lottery(int(band), seed, 9))
    return mix(colour, (0.8, 0.78, 0.72), within(ellipse(y, z + 0.1, 0.35, 0.45), pixel))


@compiled
def _sky(y: float, z: float, pixel: float, seed: float) -> tuple[float, float, float]:
    """Blue above, white at the horizon, clouds and two rows of hills."""
    colour = mix((0.80, 0.88, 0.95), (0.28, 0.52, 0.90), min(max(0.5 + 0.6 * z, 0.0), 1.0))
    for k in range(3):
        across = 1.6 * lottery(k, int(seed), 11) - 0.8
        up = 0.25 + 0.6 * lottery(k, int(seed), 12)
        cloud = min(ellipse(y - across, z - up, 0.30, 0.08), ellipse(y - across - 0.1, z - up - 0.06, 0.17, 0.09))
        colour = mix(colour, (0.97, 0.97, 0.98), 0.8 * within(cloud, pixel + 0.06))
    far = -0.35 + 0.10 * np.sin(3.1 * y + seed)
    near = -0.62 + 0.12 * np.sin(2.1 * y + 2 * seed)
    colour = mix(colour, (0.30, 0.45, 0.36), 1 - beyond(z, far, pixel))
    return mix(colour, (0.16, 0.34, 0.12), 1 - beyond(z, near, pixel))
