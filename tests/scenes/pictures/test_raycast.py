import numpy as np
import pytest

from savg_ray.scenes.pictures.parts import (
    PART,
    axes_along,
    bounding_spheres,
    box,
    ellipsoid,
    frustum,
    linear_rgb,
    plain,
    rounded_cone,
)
from savg_ray.scenes.pictures.raycast import hit_distance, local_point, normal_at

GREY = plain(linear_rgb(128, 128, 128))
FORWARD = np.array([1.0, 0.0, 0.0])
START, END = np.array([2.0, 0.3, -0.4]), np.array([2.3, -0.2, 0.5])
AXES = axes_along(np.array([0.3, 0.2, 1.0]), FORWARD)


def in_rounded_cone(points, r0, r1, stretch=(1.0, 1.0)):
    """Whether points lie in any of many balls between the ends."""
    axes = axes_along(END - START, FORWARD) / np.array([*stretch, 1.0])[:, None]
    local = (points - START) @ axes.T
    length = np.linalg.norm(END - START)
    share = np.linspace(0, 1, 100)
    away = np.stack(
        [np.broadcast_to(local[:, 0, None], (len(local), 100))] * 2 + [local[:, 2, None] - share * length], -1
    )
    away[..., 1] = local[:, 1, None]
    return (np.linalg.norm(away, axis=-1) <= r0 + share * (r1 - r0)).any(-1)


def in_frustum(points, r0, r1):
    local = (points - START) @ axes_along(END - START, FORWARD).T
    share = local[:, 2] / np.linalg.norm(END - START)
    return (share >= 0) & (share <= 1) & (np.hypot(local[:, 0], local[:, 1]) <= r0 + share * (r1 - r0))


SOLIDS = {
    "rounded cone": (rounded_cone(START, END, (0.3, 0.15), FORWARD, GREY), lambda p: in_rounded_cone(p, 0.3, 0.15)),
    "capsule": (rounded_cone(START, END, (0.2, 0.2), FORWARD, GREY), lambda p: in_rounded_cone(p, 0.2, 0.2)),
    "flat cone": (
        rounded_cone(START, END, (0.15, 0.3), FORWARD, GREY, stretch=(0.7, 1.6)),
        lambda p: in_rounded_cone(p, 0.15, 0.3, (0.7, 1.6)),
    ),
    "frustum": (frustum(START, END, (0.3, 0.1), FORWARD, GREY), lambda p: in_frustum(p, 0.3, 0.1)),
    "box": (
        box(START, AXES, (0.2, 0.4, 0.3), GREY),
        lambda p: (np.abs((p - START) @ AXES.T) <= np.array([0.2, 0.4, 0.3])).all(-1),
    ),
    "ellipsoid": (
        ellipsoid(START, AXES, (0.2, 0.4, 0.3), GREY),
        lambda p: np.linalg.norm((p - START) @ AXES.T / np.array([0.2, 0.4, 0.3]), axis=-1) <= 1,
    ),
}


def rays(n):
    target = START + (END - START) * 0.35 + np.random.default_rng(3).normal(size=(n, 3)) * 0.25
    return target / np.linalg.norm(target, axis=1, keepdims=True)


@pytest.mark.parametrize("name", SOLIDS)
def test_a_ray_ends_where_it_first_enters_the_solid(name):
    part, holds = SOLIDS[name]
    along_m = np.arange(1.0, 3.6, 0.006)
    hits = 0
    for ray in rays(70):
        t = hit_distance(part[0], *ray)
        inside = holds(along_m[:, None] * ray)
        if inside.sum() < 8:
            # Grazed at most.
            continue
        hits += 1
        assert along_m[inside][0] == pytest.approx(t, abs=0.015)
    assert 10 < hits <= 70


@pytest.mark.parametrize("name", SOLIDS)
def test_normals_point_out_and_at_the_camera(name):
    part, holds = SOLIDS[name]
    for ray in rays(60):
        t = hit_distance(part[0], *ray)
        if np.isinf(t):
            continue
        point = t * ray
        normal = np.array(normal_at(part[0], *local_point(part[0]["matrix"], part[0]["eye"], *point)))
        assert np.linalg.norm(normal) == pytest.approx(1, abs=1e-6)
        assert normal @ ray < 0.02
        assert not holds((point + 0.02 * normal)[None])[0]


def test_what_is_missed_is_infinitely_far():
    for part, _ in SOLIDS.values():
        assert np.isinf(hit_distance(part[0], -1.0, 0.0, 0.0))
        assert np.isinf(hit_distance(part[0], 0.0, 1.0, 0.0))


@pytest.mark.parametrize("name", SOLIDS)
def test_bounding_spheres_hold_the_solid(name):
    part, _ = SOLIDS[name]
    spheres = bounding_spheres(part)[0]
    for ray in rays(150):
        t = hit_distance(part[0], *ray)
        if np.isfinite(t):
            assert (np.linalg.norm(spheres[:, :3] - t * ray, axis=1) <= spheres[:, 3] + 1e-9).any()


def test_what_is_cut_off_is_not_there():
    whole = ellipsoid(START, np.eye(3), (0.3, 0.3, 0.3), GREY)
    upper = ellipsoid(START, np.eye(3), (0.3, 0.3, 0.3), GREY, cut=(0.0, 0.0, 1.0, 0.0))
    high, low = START + np.array([-0.2, 0, 0.15]), START + np.array([-0.2, 0, -0.15])
    for place, seen in ((high, True), (low, False)):
        ray = place / np.linalg.norm(place)
        assert np.isfinite(hit_distance(whole[0], *ray))
        assert np.isfinite(hit_distance(upper[0], *ray)) == seen


def test_parts_are_plain_numbers():
    assert PART.hasobject is False
