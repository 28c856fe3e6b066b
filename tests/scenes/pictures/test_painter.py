from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from savg_ray.errors import UserError
from savg_ray.scenes.pictures.equirect import column_px, pixel_rays, row_px
from savg_ray.scenes.pictures.painter import ScenePainter
from savg_ray.scenes.script import Furniture, direction_deg, emitter_place
from tests.scenes.pictures.pictured import (
    HEIGHT_PX,
    WIDTH_PX,
    empty_room,
    event_of,
    in_room,
    person_at,
    scene_of,
    walker,
)

PALETTES = 2, 4


@cache
def painter(scene):
    return ScenePainter(scene, WIDTH_PX, HEIGHT_PX)


def picture(scene, time_s=0.0):
    return painter(scene).paint(time_s)


def silhouette(scene, time_s=0.0):
    """Pixels that nothing of the room shines through: they stay when floor and walls get other colours."""
    rooms = [replace(scene.room, palette=palette) for palette in PALETTES]
    bare = [picture(in_room(replace(scene, people=(), events=()), room)) for room in rooms]
    first, second = (picture(in_room(scene, room), time_s) for room in rooms)
    return (first == second).all(-1) & (bare[0] != bare[1]).any(-1)


def extent(mask):
    rows, columns = np.nonzero(mask)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def outside_rad(spheres):
    """How far each pixel's direction is from the nearest sphere's edge; negative on a sphere."""
    rays = pixel_rays(WIDTH_PX, HEIGHT_PX)
    x, y = np.outer(rays.cos_row, rays.cos_column), np.outer(rays.cos_row, rays.sin_column)
    directions = np.stack([x, y, np.broadcast_to(rays.sin_row[:, None], x.shape)], axis=-1)
    nearest = np.full(x.shape, np.inf)
    for *centre, radius_m in np.unique(spheres, axis=0):
        distance_m = np.linalg.norm(centre)
        cosine = np.clip(directions @ (np.array(centre) / distance_m), -1, 1)
        np.minimum(nearest, np.arccos(cosine) - np.arcsin(radius_m / distance_m), out=nearest)
    return nearest


def sides(box):
    return box.x0_px, box.y0_px, box.x1_px, box.y1_px


def test_a_person_on_the_left_is_painted_on_the_left():
    changed = (picture(scene_of(person_at(40, 2.0))) != picture(scene_of())).any(-1)
    _, columns = np.nonzero(changed)
    assert abs(columns.mean() - column_px(np.array(40.0), WIDTH_PX)) < 0.01 * WIDTH_PX
    assert columns.max() < WIDTH_PX / 2


@pytest.mark.parametrize("look", [1, 2, 4, 7])
def test_a_box_holds_the_silhouette(look):
    scene = scene_of(person_at(40, 2.0, look))
    (box,) = painter(scene).boxes(0.0)
    assert box.person == 0
    np.testing.assert_allclose(sides(box), extent(silhouette(scene)), atol=2)


def test_crown_and_soles_are_at_the_persons_height():
    scene = scene_of(person_at(0, 2.0))
    (box,) = painter(scene).boxes(0.0)
    crown, floor = np.rad2deg(np.arctan2([0.3, -1.4], 2.0))
    assert box.y0_px == pytest.approx(row_px(crown, HEIGHT_PX) + 0.5, abs=2.5)
    assert box.y1_px == pytest.approx(row_px(floor, HEIGHT_PX) + 0.5, abs=5)


def test_a_person_at_the_seam_is_whole():
    behind, before = scene_of(person_at(180, 2.0)), scene_of(person_at(0, 2.0))
    ((seam,), (middle,)) = (painter(scene).boxes(0.0) for scene in (behind, before))
    assert seam.x0_px < WIDTH_PX < seam.x1_px
    np.testing.assert_allclose(np.array(sides(seam)) - sides(middle), [WIDTH_PX / 2, 0, WIDTH_PX / 2, 0], atol=1)
    turned = np.roll(silhouette(behind), WIDTH_PX // 2, axis=1)
    assert (turned != silhouette(before)).mean() < 0.001


def test_who_is_nearer_hides_who_is_farther():
    near, far = person_at(10, 1.4, 4), person_at(10, 3.0, 5)
    together = painter(scene_of(near, far))
    boxes = {box.person: box for box in together.boxes(0.0)}
    (alone,) = painter(scene_of(far)).boxes(0.0)
    assert sides(boxes[0]) == sides(painter(scene_of(near)).boxes(0.0)[0])
    area = [(b.x1_px - b.x0_px) * (b.y1_px - b.y0_px) for b in (boxes[1], alone)] if 1 in boxes else [0, 1]
    assert area[0] < 0.3 * area[1]
    swapped = painter(scene_of(far, near))
    np.testing.assert_array_equal(together.paint(0.0), swapped.paint(0.0))
    chest = silhouette(scene_of(near))
    np.testing.assert_array_equal(together.paint(0.0)[chest], picture(scene_of(near))[chest])


def test_furniture_in_front_hides():
    legs_hidden = Furniture("cabinet", 1.2, 0.0, 180.0, 1.6, 0.4, 0.8)
    all_hidden = Furniture("shelf", 1.2, 0.0, 180.0, 2.4, 0.4, 2.2)
    person = person_at(0, 2.2)
    (free,) = painter(scene_of(person)).boxes(0.0)
    (half,) = painter(scene_of(person, room=empty_room(furniture=(legs_hidden,)))).boxes(0.0)
    assert half.y0_px == free.y0_px
    assert half.y1_px - half.y0_px < 0.75 * (free.y1_px - free.y0_px)
    hidden = painter(scene_of(person, room=empty_room(furniture=(all_hidden,))))
    assert hidden.boxes(0.0) == []
    without = picture(scene_of(room=empty_room(furniture=(all_hidden,))))
    shelf = slice(HEIGHT_PX // 3, HEIGHT_PX // 2), slice(WIDTH_PX // 2 - 20, WIDTH_PX // 2 + 20)
    np.testing.assert_array_equal(hidden.paint(0.0)[shelf], without[shelf])


def test_an_instrument_is_no_part_of_its_players_box():
    """A marimba hides its player's legs but does not widen the box."""
    (bare,) = painter(scene_of(person_at(0, 2.0))).boxes(0.0)
    player = scene_of(person_at(0, 2.0, instrument="marimba"))
    (box,) = painter(player).boxes(0.0)
    assert box.x1_px - box.x0_px < 1.6 * (bare.x1_px - bare.x0_px)
    changed = extent((picture(player) != picture(scene_of())).any(-1))
    assert changed[2] - changed[0] > 1.8 * (box.x1_px - box.x0_px)


def test_only_the_mouth_depends_on_how_the_voice_goes():
    person = person_at(20, 1.2)
    first, second = (scene_of(person, events=(event_of(0, "mouth", seed=seed),)) for seed in (1, 2))
    mouth = emitter_place(person, "mouth", 0.0, first.room.eye_height_m)
    azimuth_deg, elevation_deg = direction_deg(mouth)
    place = row_px(elevation_deg, HEIGHT_PX), column_px(azimuth_deg, WIDTH_PX)
    moved = [(picture(first, time_s) != picture(second, time_s)).any(-1) for time_s in np.arange(1.1, 2.1, 0.1)]
    for mask in moved:
        assert (np.abs(np.argwhere(mask) - place) < 6).all()
    assert sum(mask.any() for mask in moved) >= 7
    np.testing.assert_array_equal(picture(first, 5.5), picture(second, 5.5))
    np.testing.assert_array_equal(picture(first, 5.5), picture(scene_of(person), 5.5))
    assert (picture(first, 1.7) != picture(scene_of(person), 1.7)).any()


def test_walking_moves_the_box_and_the_legs():
    scene = scene_of(walker())
    shown = [painter(scene).boxes(time_s)[0] for time_s in (1.0, 1.5, 2.0, 2.5, 3.0)]
    middles = [(box.x0_px + box.x1_px) / 2 for box in shown]
    assert (np.diff(middles) < -5).all()
    widths = [painter(scene).boxes(time_s)[0] for time_s in np.arange(1.6, 2.5, 0.05)]
    widths = [box.x1_px - box.x0_px for box in widths]
    assert max(widths) > 1.25 * min(widths)


@pytest.mark.parametrize("scene", [scene_of(person_at(40, 1.5, look)) for look in (1, 2, 6)] + [scene_of(walker())])
def test_spheres_cover_the_body_closely(scene):
    time_s = 2.0
    mask = silhouette(scene, time_s)
    spheres = painter(scene).body_points(0, time_s)
    assert spheres.shape == painter(scene).body_points(0, 0.0).shape
    assert spheres.dtype == np.float64
    pixel_rad = 2 * np.pi / WIDTH_PX
    slack_rad = outside_rad(spheres)
    assert slack_rad[mask].max() < 0.5 * pixel_rad
    covered = slack_rad < 0
    # The silhouette lacks the pixels on its edge.
    edged = binary_dilation(mask)
    assert (covered & edged).sum() > 0.85 * covered.sum()
    assert not (covered & ~binary_dilation(mask, iterations=4)).any()
    np.testing.assert_allclose(extent(covered), extent(mask), atol=3)


def test_the_same_scene_gives_the_same_bytes_in_any_order():
    scene = scene_of(walker(), person_at(-60, 1.6, instrument="guitar"), events=(event_of(1, "mouth"),))
    forward, backward = (ScenePainter(scene, 240, 120) for _ in range(2))
    times_s = [0.0, 1.3, 2.7]
    first = [forward.paint(time_s) for time_s in times_s]
    backward.boxes(2.0)
    for time_s, expected in reversed(list(zip(times_s, first, strict=True))):
        np.testing.assert_array_equal(backward.paint(time_s), expected)
    assert forward.boxes(1.3) == backward.boxes(1.3)
    again = forward.paint(0.0)
    again[:] = 0
    np.testing.assert_array_equal(forward.paint(0.0), first[0])


def test_people_shade_the_floor():
    scene = scene_of(person_at(0, 2.0))
    bare, shown = picture(scene_of()).astype(int), picture(scene).astype(int)
    (box,) = painter(scene).boxes(0.0)
    beside = slice(int(box.y1_px) - 8, int(box.y1_px) + 4), slice(int(box.x1_px) + 1, int(box.x1_px) + 6)
    darker = (bare - shown)[beside].mean()
    assert 3 < darker < 60
    assert (shown[: HEIGHT_PX // 4] == bare[: HEIGHT_PX // 4]).all()


@pytest.mark.parametrize("size", [(480, 200), (482, 241), (100, 50)])
def test_odd_sizes_are_refused(size):
    if size == (100, 50):
        assert ScenePainter(scene_of(person_at(0, 2)), *size).paint(0.0).shape == (50, 100, 3)
        return
    with pytest.raises(UserError, match="cannot be"):
        ScenePainter(scene_of(), *size)


def test_tiny_persons_are_left_out():
    small = ScenePainter(scene_of(person_at(0, 3.5)), 64, 32)
    assert small.boxes(0.0) == []
    assert small.paint(0.0).dtype == np.uint8
