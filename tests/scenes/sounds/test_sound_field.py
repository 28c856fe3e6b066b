import numpy as np
import pytest

from savg_ray.scenes.compose import compose_scene
from savg_ray.scenes.script import RATE_HZ, Person, Room, Scene, Waypoint, direction_deg
from savg_ray.scenes.sounds import sound_field
from savg_ray.scenes.sounds.event_sounds import footfalls_s
from savg_ray.scenes.sounds.sound_field import render_sound
from savg_ray.spatial.ambisonics import rotate_yaw, stereo
from tests.scenes.pictures.pictured import empty_room, person_at, walker
from tests.scenes.sounds.heard import CURATION_GAIN, anechoic, place_at, ringing_at, rms, speaking


@pytest.mark.parametrize("distance_m", [0.3, 0.5, 1.0, 2.0, 4.0])
def test_the_level_falls_with_the_distance_from_half_a_metre_on(distance_m):
    w = render_sound(anechoic(ringing_at(place_at(20, 10, distance_m), level_db=-30.0)))[0]
    assert 20 * np.log10(rms(w)) == pytest.approx(-30 - 20 * np.log10(max(0.5, distance_m)), abs=0.01)


@pytest.mark.parametrize(("azimuth_deg", "elevation_deg"), [(0, 0), (90, 0), (-45, 30), (180, -20), (10, 80)])
def test_a_still_source_is_a_plane_wave(azimuth_deg, elevation_deg):
    w, y, z, x = render_sound(anechoic(ringing_at(place_at(azimuth_deg, elevation_deg, 1.5))))
    azimuth, elevation = np.radians([azimuth_deg, elevation_deg])
    np.testing.assert_allclose(y, w * np.sin(azimuth) * np.cos(elevation), atol=1e-12)
    np.testing.assert_allclose(z, w * np.sin(elevation), atol=1e-12)
    np.testing.assert_allclose(x, w * np.cos(azimuth) * np.cos(elevation), atol=1e-12)


def test_a_moving_source_is_followed_exactly():
    scene = anechoic(speaking(start_s=0.0, end_s=4.0), people=(walker(),), duration_s=4.0)
    w, y, z, x = render_sound(scene)
    followed = 0
    for start in range(0, len(w) - 480, 480):
        block = slice(start, start + 480)
        if rms(w[block]) < 1e-3:
            continue
        azimuth_deg, elevation_deg = direction_deg(scene.place(scene.events[0], (start + 240) / RATE_HZ))
        heard = np.array([np.dot(w[block], channel[block]) for channel in (x, y, z)])
        heard_azimuth_deg, heard_elevation_deg = direction_deg(heard)
        assert heard_azimuth_deg == pytest.approx(azimuth_deg, abs=0.7)
        assert heard_elevation_deg == pytest.approx(elevation_deg, abs=0.3)
        followed += 1
    assert followed > 100


def test_sounds_do_not_reach_beyond_their_times():
    scene = anechoic(speaking(start_s=0.5, end_s=2.0), people=(person_at(30, 2.0),), duration_s=3.0)
    w = render_sound(scene)[0]
    assert not w[: RATE_HZ // 2].any() and not w[2 * RATE_HZ :].any()
    assert rms(w[RATE_HZ // 2 : 2 * RATE_HZ]) > 0.01


def test_reflections_come_from_the_six_surfaces(monkeypatch):
    click = np.zeros(1200)
    click[100] = 1.0
    monkeypatch.setattr(sound_field, "event_waveform", lambda scene, event: click)
    room = Room(2.5, 3.6, 3.1, 4.2, 3.3, 1.4, 0, ())
    place = np.array([1.0, 0.4, 0.1])
    dry, wet = (
        render_sound(Scene(1, 1.0, room, (), (ringing_at(tuple(place)),), None, reflections))
        for reflections in (False, True)
    )
    late = wet - dry
    images = np.tile(place, (6, 1))
    images[[0, 1, 2, 3, 4, 5], [0, 0, 1, 1, 2, 2]] = [5.0 - 1, -7.2 - 1, 6.2 - 0.4, -8.4 - 0.4, -2.8 - 0.1, 3.8 - 0.1]
    for image, surface in zip(images, ("wall", "wall", "wall", "wall", "floor", "ceiling"), strict=True):
        far_m = np.linalg.norm(image)
        at = 100 + round((far_m - np.linalg.norm(place)) / 343.0 * RATE_HZ)
        part = late[:, at - 2 : at + 8].sum(axis=1)
        # The click is dulled, but keeps its sum.
        kept = np.sqrt(1 - sound_field.ABSORPTION[surface]) / far_m
        assert part[0] == pytest.approx(kept, rel=0.02)
        np.testing.assert_allclose(part[[3, 1, 2]] / part[0], image / far_m, atol=0.02)
    first = int(np.flatnonzero(np.abs(late[0]) > 1e-9)[0])
    assert first > 100 + 50


def test_ambience_is_diffuse_and_low():
    field = render_sound(Scene(3, 8.0, empty_room(), (), (), -50.0, True))
    levels_db = 20 * np.log10(field.std(axis=1))
    np.testing.assert_allclose(levels_db, -50 - np.array([0, 4.77, 4.77, 4.77]), atol=0.3)
    assert np.abs(np.corrcoef(field) - np.eye(4)).max() < 0.05
    power = np.abs(np.fft.rfft(field[0])) ** 2
    hz = np.fft.rfftfreq(field.shape[1], 1 / RATE_HZ)
    assert power[hz < 1000].sum() > 0.75 * power.sum()
    other = render_sound(Scene(4, 8.0, empty_room(), (), (), -50.0, True))
    assert not np.allclose(field, other)


def test_steps_fall_with_the_gait():
    person = Person(1, 1, 1.8, None, (Waypoint(0.0, 2.0, -2.0, 90.0), Waypoint(5.0, 2.0, 2.0, 90.0)))
    steps_s = footfalls_s(person, 0.0, 5.0)
    # 4 m in strides of 1.3 m: six steps, the fastest in the middle.
    assert len(steps_s) == 6
    assert np.diff(steps_s).min() == np.diff(steps_s)[2]
    assert not len(footfalls_s(person, 6.0, 9.0))


def test_levels_suit_the_amplification_of_curation():
    """Most windows of five seconds survive 38 dB, some are clipped, and no recording clips itself."""
    clipped = []
    for recording in range(7):
        field = render_sound(compose_scene(2, recording, 15.0))
        assert np.abs(field).max() < 0.3
        assert rms(field[0]) > 10 / 32768
        for yaw_deg in (0, 60, 120):
            sides = np.abs(stereo(rotate_yaw(field, yaw_deg))).max(axis=0) * CURATION_GAIN
            clipped += [part.max() > 1 for part in np.split(sides, 3)]
    assert 0.02 < np.mean(clipped) < 0.4
