"""Floor, walls and ceiling of a room: their colours, drawn from its palette, at any point."""

from typing import NamedTuple

import numpy as np

from savg_ray.scenes.pictures.compiled import compiled
from savg_ray.scenes.pictures.parts import linear_rgb
from savg_ray.scenes.pictures.patterns import beyond, dimmed, line_share, lottery, mix, within

FRONT, BACK, LEFT, RIGHT, FLOOR, CEILING = range(6)

_PARQUET, _TILES, _CARPET = range(3)
_PAINTED, _STRIPED, _PANELLED = range(3)
_SKIRTING_M, _PANEL_M = 0.10, 0.95

_WALLS = ((226, 219, 203), (203, 216, 218), (214, 222, 200), (232, 210, 192), (212, 206, 222), (222, 222, 222))
_ACCENTS = ((148, 172, 178), (190, 150, 120), (140, 164, 136), (172, 146, 170), (196, 176, 128), (132, 150, 178))
_WOODS = ((178, 132, 88), (150, 106, 70), (200, 164, 120), (120, 88, 64))
_TILED = ((206, 200, 190), (184, 178, 172), (196, 180, 158))
_CARPETS = ((140, 146, 158), (150, 130, 118), (122, 140, 130))
_Rgb = tuple[float, float, float]


class Surfaces(NamedTuple):
    """What a room's floor, walls and ceiling are made of; colours are linear RGB, 0 to 1.

    ``accented`` is the wall (0 to 3) that has the accent's colour.
    """

    floor_kind: int
    wall_kind: int
    accented: int
    floor: _Rgb
    wall: _Rgb
    accent: _Rgb


def room_surfaces(palette: int) -> Surfaces:
    """Surfaces drawn by a palette's seed."""
    rng = np.random.Generator(np.random.PCG64(palette))
    floor_kind, wall_kind, accented = int(rng.integers(3)), int(rng.integers(3)), int(rng.integers(4))
    floors = (_WOODS, _TILED, _CARPETS)[floor_kind]
    return Surfaces(
        floor_kind=floor_kind,
        wall_kind=wall_kind,
        accented=accented,
        floor=_rgb(floors[rng.integers(len(floors))]),
        wall=_rgb(_WALLS[rng.integers(len(_WALLS))]),
        accent=_rgb(_ACCENTS[rng.integers(len(_ACCENTS))]),
    )


@compiled
def floor_colour(surfaces: Surfaces, x: float, y: float, pixel_m: float) -> _Rgb:
    """Linear RGB of the floor at a place."""
    if surfaces.floor_kind == _PARQUET:
        return _parquet(surfaces.floor, x, y, pixel_m)
    if surfaces.floor_kind == _TILES:
        side = 0.45
        tone = 0.94 + 0.10 * lottery(int(np.floor(x / side)), int(np.floor(y / side)), 3)
        grout = max(line_share(x, side, 0.012, pixel_m), line_share(y, side, 0.012, pixel_m))
        return mix(dimmed(surfaces.floor, tone), dimmed(surfaces.floor, 0.55), grout)
    tuft = np.sin(70 * x + 3 * np.sin(23 * y)) * np.sin(70 * y + 3 * np.sin(19 * x)) * min(1.0, 0.012 / pixel_m)
    return dimmed(surfaces.floor, 1.0 + 0.03 * tuft)


@compiled
def wall_colour(surfaces: Surfaces, wall: int, along: float, above_floor: float, pixel_m: float) -> _Rgb:
    """Linear RGB of a wall, ``along`` metres along it and so high above the floor."""
    paint = surfaces.accent if wall == surfaces.accented else surfaces.wall
    if surfaces.wall_kind == _STRIPED:
        paint = mix(paint, dimmed(paint, 0.90), line_share(along, 0.24, 0.12, pixel_m))
    elif surfaces.wall_kind == _PANELLED:
        lower = mix((0.82, 0.80, 0.76), (0.55, 0.53, 0.50), line_share(along, 0.30, 0.012, pixel_m))
        rail = within(abs(above_floor - _PANEL_M) - 0.025, pixel_m)
        paint = mix(lower, paint, beyond(above_floor, _PANEL_M, pixel_m))
        paint = mix(paint, (0.86, 0.84, 0.80), rail)
    skirting = 1 - beyond(above_floor, _SKIRTING_M, pixel_m)
    paint = mix(paint, (0.84, 0.82, 0.78), skirting)
    return mix(paint, (0.40, 0.38, 0.35), within(abs(above_floor - _SKIRTING_M) - 0.004, pixel_m))


@compiled
def _parquet(wood: _Rgb, x: float, y: float, pixel_m: float) -> _Rgb:
    width, length = 0.14, 1.3
    row = int(np.floor(y / width))
    shifted = x + length * lottery(row, 7, 1)
    board = int(np.floor(shifted / length))
    tone = 0.84 + 0.32 * lottery(row, board, 2)
    grain = np.sin(11 * shifted + 5 * np.sin(40 * y + 4 * tone)) * np.sin(90 * y + 3 * np.sin(2 * shifted))
    colour = dimmed(wood, tone * (1 + 0.06 * grain * min(1.0, 0.02 / pixel_m)))
    joint = max(line_share(y, width, 0.006, pixel_m), line_share(shifted, length, 0.006, pixel_m))
    return mix(colour, dimmed(wood, 0.45), joint)


def _rgb(stored: tuple[int, int, int]) -> _Rgb:
    red, green, blue = (float(value) for value in linear_rgb(*stored))
    return red, green, blue
