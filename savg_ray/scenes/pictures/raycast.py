"""Where rays from the camera meet solids, compiled."""

import numpy as np

from savg_ray.scenes.pictures.compiled import compiled
from savg_ray.scenes.pictures.parts import BOX, FRUSTUM

_NOTHING = np.inf
_TINY = 1e-12


@compiled
def hit_distance(part: np.record, dx: float, dy: float, dz: float) -> float:
    """Distance in metres from the camera to a solid in a direction of length one; infinity when it is missed."""
    m, eye, size = part.matrix, part.eye, part.size
    ex, ey, ez = eye[0], eye[1], eye[2]
    lx = m[0, 0] * dx + m[0, 1] * dy + m[0, 2] * dz
    ly = m[1, 0] * dx + m[1, 1] * dy + m[1, 2] * dz
    lz = m[2, 0] * dx + m[2, 1] * dy + m[2, 2] * dz
    if part.shape == BOX:
        return _box_hit(ex, ey, ez, lx, ly, lz, size[0], size[1], size[2])
    if part.shape == FRUSTUM:
        return _frustum_hit(ex, ey, ez, lx, ly, lz, size[0], size[1], size[2])
    if size[2] > 0:
        return _rounded_cone_hit(ex, ey, ez, lx, ly, lz, size[0], size[1], size[2])
    cut = part.cut
    gap = cut[0] * ex + cut[1] * ey + cut[2] * ez - cut[3]
    return _ball_hit(ex, ey, ez, lx, ly, lz, size[0], gap, cut[0] * lx + cut[1] * ly + cut[2] * lz)


@compiled
def local_point(matrix: np.ndarray, eye: np.ndarray, x: float, y: float, z: float) -> tuple[float, float, float]:
    """A point of the room in a frame that is given by its axes and by where the camera is in it."""
    return (
        eye[0] + matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z,
        eye[1] + matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z,
        eye[2] + matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z,
    )


@compiled
def normal_at(part: np.record, px: float, py: float, pz: float) -> tuple[float, float, float]:
    """The outward normal, in the room, at a point on a solid given in its frame."""
    size = part.size
    nx, ny, nz = px, py, 0.0
    if part.shape == BOX:
        nx, ny, nz = _box_normal(px / size[0], py / size[1], pz / size[2])
    elif part.shape == FRUSTUM:
        if pz < 1e-4 * size[2]:
            nx, ny, nz = 0.0, 0.0, -1.0
        elif pz > (1 - 1e-4) * size[2]:
            nx, ny, nz = 0.0, 0.0, 1.0
        else:
            nz = (size[0] - size[1]) / size[2] * np.sqrt(px * px + py * py)
    else:
        nz = pz - _touching_centre(size[0], size[1], size[2], px, py, pz)
    m = part.matrix
    wx = m[0, 0] * nx + m[1, 0] * ny + m[2, 0] * nz
    wy = m[0, 1] * nx + m[1, 1] * ny + m[2, 1] * nz
    wz = m[0, 2] * nx + m[1, 2] * ny + m[2, 2] * nz
    length = np.sqrt(wx * wx + wy * wy + wz * wz) + _TINY
    return wx / length, wy / length, wz / length


@compiled
def _touching_centre(r0: float, r1: float, length: float, px: float, py: float, pz: float) -> float:
    """How far up the axis the ball has its centre that touches a rounded cone's surface at a point."""
    if length <= 0:
        return 0.0
    sine = (r0 - r1) / length
    tangent = sine / np.sqrt(max(1 - sine * sine, _TINY))
    return min(max(pz - tangent * np.sqrt(px * px + py * py), 0.0), length)


@compiled
def _ball_hit(
    ex: float, ey: float, ez: float, lx: float, ly: float, lz: float, radius: float, gap: float, closing: float
) -> float:
    """The nearest point of the part of a ball for which ``gap + t * closing`` is not negative."""
    a = lx * lx + ly * ly + lz * lz
    b = ex * lx + ey * ly + ez * lz
    c = ex * ex + ey * ey + ez * ez - radius * radius
    root = b * b - a * c
    if root < 0:
        return _NOTHING
    root = np.sqrt(root)
    t = (-b - root) / a
    if gap + t * closing < 0:
        # The ray enters through the flat side, if at all.
        if closing <= 0 or gap * a + (root - b) * closing < 0:
            return _NOTHING
        t = -gap / closing
    return t if t > 0 else _NOTHING


@compiled
def _rounded_cone_hit(
    ex: float, ey: float, ez: float, lx: float, ly: float, lz: float, r0: float, r1: float, length: float
) -> float:
    """The nearest of both balls and of the cone that touches them: where rho cos b = r0 - z sin b."""
    best = _ball_hit(ex, ey, ez, lx, ly, lz, r0, 1.0, 0.0)
    best = min(best, _ball_hit(ex, ey, ez - length, lx, ly, lz, r1, 1.0, 0.0))
    sine = (r0 - r1) / length
    square = 1 - sine * sine
    if square <= 0:
        return best
    left = r0 - sine * ez
    a = square * (lx * lx + ly * ly) - sine * sine * lz * lz
    b = square * (ex * lx + ey * ly) + left * sine * lz
    c = square * (ex * ex + ey * ey) - left * left
    root = b * b - a * c
    if root < 0 or abs(a) < _TINY:
        return best
    root = np.sqrt(root)
    lowest, highest = r0 * sine, length + r1 * sine
    for sign in (-1.0, 1.0):
        t = (-b + sign * root) / a
        z = ez + t * lz
        if 0 < t < best and lowest < z < highest:
            best = t
    return best


@compiled
def _frustum_hit(
    ex: float, ey: float, ez: float, lx: float, ly: float, lz: float, r0: float, r1: float, length: float
) -> float:
    best = _NOTHING
    grow = (r1 - r0) / length
    radius = r0 + grow * ez
    a = lx * lx + ly * ly - grow * grow * lz * lz
    b = ex * lx + ey * ly - radius * grow * lz
    c = ex * ex + ey * ey - radius * radius
    root = b * b - a * c
    if root >= 0 and abs(a) > _TINY:
        root = np.sqrt(root)
        for sign in (-1.0, 1.0):
            t = (-b + sign * root) / a
            if 0 < t < best and 0 < ez + t * lz < length:
                best = t
    if lz != 0:
        for end in (0.0, 1.0):
            t = (end * length - ez) / lz
            x, y = ex + t * lx, ey + t * ly
            limit = r1 if end > 0 else r0
            if 0 < t < best and x * x + y * y < limit * limit:
                best = t
    return best


@compiled
def _box_hit(
    ex: float, ey: float, ez: float, lx: float, ly: float, lz: float, hx: float, hy: float, hz: float
) -> float:
    near, far = -_NOTHING, _NOTHING
    for e, d, h in ((ex, lx, hx), (ey, ly, hy), (ez, lz, hz)):
        if abs(d) < _TINY:
            if abs(e) > h:
                return _NOTHING
        else:
            first, second = (-h - e) / d, (h - e) / d
            near = max(near, min(first, second))
            far = min(far, max(first, second))
    return near if 0 < near <= far else _NOTHING


@compiled
def _box_normal(x: float, y: float, z: float) -> tuple[float, float, float]:
    """The side of a unit box that a point lies on."""
    ax, ay, az = abs(x), abs(y), abs(z)
    if ax >= ay and ax >= az:
        return np.sign(x), 0.0, 0.0
    if ay >= az:
        return 0.0, np.sign(y), 0.0
    return 0.0, 0.0, np.sign(z)
