"""Where a flat view shows people whose bodies are known as spheres, and how much of them it shows."""

import numpy as np

from savg_ray.spatial.ambisonics import wrap_deg
from savg_ray.spatial.perspective import View

# Nothing further aside than this is in a flat picture; tangents stay finite.
_ASIDE_DEG = 89.0


def shown_angles_deg(equirect_boxes_px: np.ndarray, width_px: int) -> np.ndarray:
    """Boxes in an equirectangular picture as angles: degrees to the right, from and to, and upwards, from and to.

    Args:
        equirect_boxes_px: float (..., 4), x0, y0, x1, y1, NaN where nobody is shown; x1 may exceed the width.
        width_px: of the picture, twice its height.

    Returns:
        float64 (..., 4), half a pixel larger on every side, because such boxes are whole pixels.
    """
    x0, y0, x1, y1 = np.moveaxis(np.asarray(equirect_boxes_px, np.float64), -1, 0)
    degree = 360 / width_px
    right = ((x0 - 0.5) * degree - 180, (x1 + 0.5) * degree - 180)
    return np.stack([*right, 90 - (y1 + 0.5) * degree, 90 - (y0 - 0.5) * degree], axis=-1)


def hidden_by_others(bodies: np.ndarray) -> np.ndarray:
    """Which spheres have their centre behind a sphere of somebody else, as seen from the origin.

    Args:
        bodies: float (P, K, 4), centre and radius in metres of K spheres a person.

    Returns:
        bool (P, K).
    """
    distance_m = np.linalg.norm(bodies[..., :3], axis=-1)
    direction = bodies[..., :3] / distance_m[..., None]
    cover_rad = np.arcsin(np.minimum(bodies[..., 3] / distance_m, 1))
    hidden = np.zeros(distance_m.shape, bool)
    for person in range(len(bodies)):
        for other in range(len(bodies)):
            if other == person:
                continue
            near = direction[person] @ direction[other].T > np.cos(cover_rad[other])
            hidden[person] |= (near & (distance_m[other] < distance_m[person][:, None])).any(axis=1)
    return hidden


def people_in_view(
    bodies: np.ndarray, shown_deg: np.ndarray, hidden: np.ndarray, yaw_deg: float, view: View
) -> tuple[np.ndarray, np.ndarray]:
    """The box of each person in a view, and the share of the body that can be seen there.

    A box holds what lies in the picture and within ``shown_deg``, and nothing else: of somebody behind a table it
    ends at the table's edge, of somebody at the side at the picture's edge. Pixel c spans c to c + 1. The share
    weighs every sphere with the area that it fills seen from the camera.

    Args:
        bodies: float (..., K, 4), spheres: centre (x forward, y left, z up at yaw 0) and radius in metres.
        shown_deg: float (..., 4), what of a person nothing nearer hides, as `shown_angles_deg` gives it.
        hidden: bool (..., K), spheres that somebody else hides.
        yaw_deg: where the view looks, positive to the right.
        view: the picture.

    Returns:
        float64 (..., 4), x0, y0, x1, y1 in px, NaN for those who are not seen; and float64 (...) in 0..1.
    """
    bodies = np.asarray(bodies, np.float64)
    radius_m = bodies[..., 3]
    yaw = np.radians(yaw_deg)
    ahead = np.cos(yaw) * bodies[..., 0] - np.sin(yaw) * bodies[..., 1]
    left = np.sin(yaw) * bodies[..., 0] + np.cos(yaw) * bodies[..., 1]
    up = bodies[..., 2]
    right_deg = np.degrees(np.arctan2(-left, ahead))
    in_front = np.abs(right_deg) < _ASIDE_DEG

    x = _tangents(right_deg, _half_angle_deg(radius_m, np.hypot(ahead, left)))
    y = _tangents(np.degrees(np.arctan2(up, ahead)), _half_angle_deg(radius_m, np.hypot(ahead, up)))
    x_limits, y_limits = _limits(shown_deg, right_deg, yaw_deg, view)
    x, y = (np.clip(edges, *limits) for edges, limits in ((x, x_limits), (y, y_limits)))
    inside = in_front & (x[1] > x[0]) & (y[1] > y[0])

    with np.errstate(invalid="ignore"):
        box = np.stack(
            [
                np.where(inside, x[0], np.inf).min(axis=-1),
                np.where(inside, -y[1], np.inf).min(axis=-1),
                np.where(inside, x[1], -np.inf).max(axis=-1),
                np.where(inside, -y[0], -np.inf).max(axis=-1),
            ],
            axis=-1,
        )
    box[~inside.any(axis=-1)] = np.nan

    centre_x, centre_y = (
        np.tan(np.radians(np.clip(right_deg, -_ASIDE_DEG, _ASIDE_DEG))),
        up / np.where(in_front, ahead, 1),
    )
    seen = in_front & ~hidden & _within(centre_x, x_limits) & _within(centre_y, y_limits)
    weight = (radius_m / np.linalg.norm(bodies[..., :3], axis=-1)) ** 2
    return _pixels(box, view), (weight * seen).sum(axis=-1) / weight.sum(axis=-1)


def _half_angle_deg(radius_m: np.ndarray, distance_m: np.ndarray) -> np.ndarray:
    return np.degrees(np.arcsin(np.minimum(radius_m / np.maximum(distance_m, 1e-9), 1)))


def _tangents(centre_deg: np.ndarray, half_deg: np.ndarray) -> np.ndarray:
    """Where a sphere begins and ends on the plane at distance 1: (2, ...). Exact along one axis of the picture."""
    edges = np.stack([centre_deg - half_deg, centre_deg + half_deg])
    return np.tan(np.radians(np.clip(edges, -_ASIDE_DEG, _ASIDE_DEG)))


def _limits(
    shown_deg: np.ndarray, right_deg: np.ndarray, yaw_deg: float, view: View
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """From where to where each sphere can be seen on the plane at distance 1, to the right and upwards."""
    first, last, bottom, top = (edge[..., None] for edge in np.moveaxis(shown_deg, -1, 0))
    # What reaches half around the camera has no side edges in a flat picture.
    around = last - first >= 180
    middle = np.where(around, 0, wrap_deg((first + last) / 2 - yaw_deg))
    sides = [middle + side * np.where(around, 180, (last - first) / 2) for side in (-1, 1)]
    x = [np.tan(np.radians(np.clip(side, -_ASIDE_DEG, _ASIDE_DEG))) for side in sides]
    # Lines of constant elevation are hyperbolas in a flat picture: this is where they cross the sphere's column.
    aside = np.cos(np.radians(np.clip(right_deg, -_ASIDE_DEG, _ASIDE_DEG)))
    y = [np.tan(np.radians(np.clip(edge, -_ASIDE_DEG, _ASIDE_DEG))) / aside for edge in (bottom, top)]
    # The outermost pixels have their centres on the edges of the view.
    x_edge = view.right_edge * view.width_px / (view.width_px - 1)
    y_edge = view.top_edge * view.height_px / (view.height_px - 1)
    return _cut(x, x_edge), _cut(y, y_edge)


def _cut(limits: list[np.ndarray], edge: float) -> tuple[np.ndarray, np.ndarray]:
    return np.clip(limits[0], -edge, edge), np.clip(limits[1], -edge, edge)


def _within(values: np.ndarray, limits: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return (limits[0] <= values) & (values <= limits[1])


def _pixels(plane: np.ndarray, view: View) -> np.ndarray:
    """Boxes on the plane at distance 1, rightwards and downwards, in pixels of which the first spans 0 to 1."""
    scale = np.array([view.right_edge, view.top_edge] * 2)
    size = np.array([view.width_px, view.height_px] * 2)
    return (size - 1) / 2 * (1 + plane / scale) + 0.5
