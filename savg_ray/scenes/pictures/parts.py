"""The solids that people and furniture are made of, each in a frame of its own."""

from typing import NamedTuple

import numpy as np

ROUNDED_CONE, FRUSTUM, BOX = 0, 1, 2

PLAIN, SPLIT, STRIPES, CHECKS, BUTTONS, EMBLEM, FACE, HAIR, BARS = range(9)
PLANKS, BOOKS, DOORS, PANELS, CANVAS, SKY, WEAVE, GLOW, FOLDS, LEAF = range(9, 19)

# One row a solid. `matrix` turns directions of the room into the solid's frame, `eye` is the camera in that frame.
# A rounded cone is the hull of a sphere of radius `size[0]` at the frame's origin and one of `size[1]` at `size[2]`
# up its third axis; a frustum has flat ends there; a box reaches `size` to both sides. Of a ball with a `cut`
# (nx, ny, nz, d) only the points with n.p >= d are there. `ends` and `reach` are two spheres whose hull holds it, in
# the room. Patterns of cloth follow a frame of their own, so that they go on from one solid to the next.
PART = np.dtype(
    [
        ("shape", np.int64),
        ("size", np.float64, (3,)),
        ("matrix", np.float64, (3, 3)),
        ("eye", np.float64, (3,)),
        ("cut", np.float64, (4,)),
        ("ends", np.float64, (2, 3)),
        ("reach", np.float64, (2,)),
        ("colour", np.float64, (3,)),
        ("second", np.float64, (3,)),
        ("pattern", np.int64),
        ("detail", np.float64, (4,)),
        ("cloth_matrix", np.float64, (3, 3)),
        ("cloth_eye", np.float64, (3,)),
    ]
)

_NO_CUT = (0.0, 0.0, 0.0, -1.0)
_BOUNDING_SPHERES = 9


class Frame(NamedTuple):
    """A place in the room, and the axes forward, left and up of what is there (one a row)."""

    origin: np.ndarray
    axes: np.ndarray

    def point(self, forward_m: float, left_m: float, up_m: float) -> np.ndarray:
        """A place so far from the origin, float64 (3,)."""
        return self.origin + np.array([forward_m, left_m, up_m]) @ self.axes


class Paint(NamedTuple):
    """How a solid is coloured: two colours (linear RGB, 0 to 1), a pattern, and up to four numbers that it takes.

    ``cloth`` is the frame that a pattern of cloth follows; without one it follows the solid's own.
    """

    colour: np.ndarray
    second: np.ndarray
    pattern: int = PLAIN
    detail: tuple[float, ...] = ()
    cloth: Frame | None = None


def linear_rgb(*values: int) -> np.ndarray:
    """Light, 0 to 1, of a colour given as it is stored, 0 to 255; the pictures' gamma is 2."""
    return (np.array(values, np.float64) / 255) ** 2


def plain(colour: np.ndarray) -> Paint:
    """One colour."""
    return Paint(colour, colour)


def upright_axes(heading_deg: float) -> np.ndarray:
    """Forward, left and up of something that faces an azimuth: float64 (3, 3), one axis a row."""
    c, s = np.cos(np.deg2rad(heading_deg)), np.sin(np.deg2rad(heading_deg))
    return np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])


def axes_along(direction: np.ndarray, forward: np.ndarray) -> np.ndarray:
    """Three axes whose third points along ``direction`` and whose first leans to ``forward`` as far as it can."""
    up = direction / max(float(np.linalg.norm(direction)), 1e-9)
    first = forward - (forward @ up) * up
    length = float(np.linalg.norm(first))
    if length < 1e-6:
        first = np.array([1.0, 0.0, 0.0]) if abs(up[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
        first = first - (first @ up) * up
        length = float(np.linalg.norm(first))
    first = first / length
    return np.array([first, crossed(up, first), up])


def crossed(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The cross product of two vectors, bit for bit what `numpy.cross` gives, which is slow with single ones."""
    (a, b, c), (d, e, f) = first.tolist(), second.tolist()
    return np.array([b * f - c * e, c * d - a * f, a * e - b * d])


def rounded_cone(
    start: np.ndarray,
    end: np.ndarray,
    radii_m: tuple[float, float],
    forward: np.ndarray,
    paint: Paint,
    *,
    stretch: tuple[float, float] = (1.0, 1.0),
) -> np.ndarray:
    """The hull of two balls, made deeper and wider by ``stretch`` along and across ``forward``."""
    return _lengthwise(ROUNDED_CONE, start, end, radii_m, forward, paint, stretch)


def frustum(
    start: np.ndarray,
    end: np.ndarray,
    radii_m: tuple[float, float],
    forward: np.ndarray,
    paint: Paint,
    *,
    stretch: tuple[float, float] = (1.0, 1.0),
) -> np.ndarray:
    """A cone without its tip, with flat ends; ``stretch`` as for a rounded cone."""
    return _lengthwise(FRUSTUM, start, end, radii_m, forward, paint, stretch)


def ellipsoid(
    centre: np.ndarray,
    axes: np.ndarray,
    radii_m: tuple[float, float, float],
    paint: Paint,
    cut: tuple[float, float, float, float] = _NO_CUT,
) -> np.ndarray:
    """An ellipsoid along the rows of ``axes``, whose frame is that of a unit ball; ``cut`` as in `PART`."""
    part = _part(ROUNDED_CONE, (1.0, 1.0, 0.0), axes / np.array(radii_m)[:, None], centre, paint, cut)
    part["ends"], part["reach"] = centre, max(radii_m)
    return part


def box(centre: np.ndarray, axes: np.ndarray, half_m: tuple[float, float, float], paint: Paint) -> np.ndarray:
    """A box along the rows of ``axes``."""
    part = _part(BOX, half_m, axes, centre, paint, _NO_CUT)
    longest = int(np.argmax(half_m))
    along = axes[longest] * half_m[longest]
    part["ends"] = centre - along, centre + along
    part["reach"] = float(np.linalg.norm(np.delete(half_m, longest)))
    return part


def block(
    frame: Frame, low: tuple[float, float, float], high: tuple[float, float, float], paint: Paint
) -> np.ndarray:
    """A box between two corners (forward, left, up) of a frame."""
    first, last = np.array(low), np.array(high)
    half = np.maximum((last - first) / 2, 1e-4)
    return box(frame.point(*(first + last) / 2), frame.axes, tuple(half), paint)


def bounding_spheres(parts: np.ndarray) -> np.ndarray:
    """Spheres that hold each solid: float64 (P, 9, 4) of x, y, z, radius in metres."""
    share = np.linspace(0, 1, _BOUNDING_SPHERES)
    start, end = parts["ends"][:, 0], parts["ends"][:, 1]
    first, last = parts["reach"][:, :1], parts["reach"][:, 1:]
    centres = start[:, None] + share[:, None] * (end - start)[:, None]
    half_gap_m = np.linalg.norm(end - start, axis=-1)[:, None] / (2 * (_BOUNDING_SPHERES - 1))
    widening_m = np.abs(last - first) / (2 * (_BOUNDING_SPHERES - 1))
    # The furthest that the solid gets from the middle of its ninth: half a gap along, its radius across.
    radii_m = np.hypot(1.02 * (first + share * (last - first) + widening_m), half_gap_m)
    return np.concatenate([centres, radii_m[..., None]], axis=-1)


def joined(parts: list[np.ndarray]) -> np.ndarray:
    """Solids as one array of `PART`."""
    together = np.zeros(len(parts), PART)
    for index, part in enumerate(parts):
        together[index] = part[0]
    return together


def _lengthwise(
    shape: int,
    start: np.ndarray,
    end: np.ndarray,
    radii_m: tuple[float, float],
    forward: np.ndarray,
    paint: Paint,
    stretch: tuple[float, float],
) -> np.ndarray:
    axes = axes_along(end - start, forward)
    length_m = float(np.linalg.norm(end - start))
    matrix = axes / np.array([*stretch, 1.0])[:, None]
    part = _part(shape, (*radii_m, length_m), matrix, start, paint, _NO_CUT)
    part["ends"] = start, end
    part["reach"] = np.array(radii_m) * max(1.0, *stretch)
    return part


def _part(
    shape: int,
    size: tuple[float, float, float],
    matrix: np.ndarray,
    origin: np.ndarray,
    paint: Paint,
    cut: tuple[float, float, float, float],
) -> np.ndarray:
    part = np.zeros(1, PART)
    part["shape"], part["size"], part["matrix"], part["eye"] = shape, size, matrix, -(matrix @ origin)
    part["cut"], part["colour"], part["second"], part["pattern"] = cut, paint.colour, paint.second, paint.pattern
    part["detail"][0, : len(paint.detail)] = paint.detail
    cloth = (matrix, origin) if paint.cloth is None else (paint.cloth.axes, paint.cloth.origin)
    part["cloth_matrix"], part["cloth_eye"] = cloth[0], -(cloth[0] @ cloth[1])
    return part
