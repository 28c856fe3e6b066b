"""Spheres that cover a body closely, from which its outline in any view follows."""

import numpy as np

from savg_ray.scenes.pictures.parts import FRUSTUM

N_SPHERES = 192

# Distance between neighbours, and how far those at a flat end stay inside of it, in radii.
_GAP, _FLAT_GAP, _INSET = 1.4, 0.8, 0.5


def body_spheres(parts: np.ndarray) -> np.ndarray:
    """Spheres that cover a body's solids: float64 (192, 4) of x, y, z, radius in metres; the last ones repeat."""
    spheres = np.concatenate([_part_spheres(part) for part in parts])
    if len(spheres) > N_SPHERES:
        raise ValueError(f"a body of {len(spheres)} spheres does not fit into {N_SPHERES}; raise cover.N_SPHERES")
    return np.concatenate([spheres, np.repeat(spheres[:1], N_SPHERES - len(spheres), axis=0)])


def _part_spheres(part: np.void) -> np.ndarray:
    """A grid of spheres along a rounded cone or frustum and across its wider side."""
    scale = 1 / np.linalg.norm(part["matrix"], axis=1)
    wide = int(scale[1] > scale[0])
    across = part["matrix"][wide] * scale[wide]
    first, last, length_m = part["size"]
    if length_m == 0:
        return _ball(part, scale)
    flat = part["shape"] == FRUSTUM
    gap, inset = (_FLAT_GAP, _INSET) if flat else (_GAP, 0.0)
    thin_m = np.array([first, last]) * scale[1 - wide]
    # Balls inside of a flat end reach its rim from a little further in.
    rim = float(np.sqrt(1 - inset**2))
    offset = max(round(float(scale[wide] / scale[1 - wide]) - rim, 6), 0.0)
    low, high = inset * thin_m[0] / length_m, 1 - inset * thin_m[1] / length_m
    n_along = int(np.ceil(length_m * (high - low) / (gap * thin_m.mean()))) + 1
    n_across = int(np.ceil(2 * offset / gap)) + 1
    share = np.linspace(low, high, n_along)[:, None]
    radii_m = thin_m[0] + share * (thin_m[1] - thin_m[0])
    centres = part["ends"][0] + share[..., None] * (part["ends"][1] - part["ends"][0])
    centres = centres + (radii_m * np.linspace(-offset, offset, n_across))[..., None] * across
    half_gap_m = length_m * (high - low) / (n_along - 1) / 2
    widening_m = abs(thin_m[1] - thin_m[0]) / (n_along - 1) / (2 if flat else 4)
    grown_m = np.sqrt((radii_m + widening_m) ** 2 + half_gap_m**2 + (radii_m * offset / max(n_across - 1, 1)) ** 2)
    grown_m = np.broadcast_to(grown_m[..., None], (*centres.shape[:2], 1))
    return np.concatenate([centres, grown_m], axis=-1).reshape(-1, 4)


def _ball(part: np.void, scale: np.ndarray) -> np.ndarray:
    """Two spheres on the longest axis of an ellipsoid."""
    longest, radii_m = int(np.argmax(scale)), np.sort(scale)
    out_m = (radii_m[2] - radii_m[1]) * part["matrix"][longest] * scale[longest]
    radius_m = np.hypot(radii_m[1], radii_m[2] - radii_m[1])
    return np.array([[*(part["ends"][0] + side * out_m), radius_m] for side in (-1, 1)])
