import numpy as np
import pytest

from savg_ray.scenes.pictures.body import body_at
from savg_ray.scenes.pictures.motion import motion_at
from savg_ray.scenes.pictures.parts import crossed
from savg_ray.scenes.pictures.raycast import hit_distance
from savg_ray.scenes.script import emitter_place
from tests.scenes.pictures.pictured import event_of, person_at, scene_of, walker

WALK_S = np.arange(1.2, 2.8, 1 / 30)


def poses(times_s):
    scene = scene_of(walker())
    return [body_at(scene, 0, time_s).pose for time_s in times_s]


def test_bones_keep_their_length():
    for name, first, second in (
        ("left_leg", "hip", "knee"),
        ("right_leg", "knee", "ankle"),
        ("left_arm", "shoulder", "elbow"),
    ):
        limbs = [getattr(pose, name) for pose in poses(WALK_S)]
        lengths = [np.linalg.norm(getattr(limb, first) - getattr(limb, second)) for limb in limbs]
        assert np.ptp(lengths) < 1e-6
        assert 0.2 < lengths[0] < 0.5


def test_legs_take_turns():
    ahead = np.array([pose.left_leg.toe[1] - pose.right_leg.toe[1] for pose in poses(WALK_S)])
    assert ahead.max() > 0.4 and ahead.min() < -0.4
    assert 2 <= (np.diff(np.sign(ahead)) != 0).sum() <= 6


def test_arms_swing_against_the_legs():
    walked = poses(WALK_S)
    legs = np.array([pose.left_leg.ankle[1] - pose.right_leg.ankle[1] for pose in walked])
    arms = np.array([pose.left_arm.wrist[1] - pose.right_arm.wrist[1] for pose in walked])
    assert np.corrcoef(legs, arms)[0, 1] < -0.9


def test_one_foot_is_always_on_the_floor_and_does_not_slide():
    ankles = np.array([[pose.left_leg.ankle, pose.right_leg.ankle] for pose in poses(WALK_S)])
    moved_m = np.linalg.norm(np.diff(ankles[..., :2], axis=0), axis=-1)
    # Only in the few pictures between which the feet change do both move.
    assert (moved_m.min(1) < 1e-6).mean() > 0.85
    assert moved_m.max() > 0.05
    lowest_m = ankles[..., 2].min(1) + 1.4
    assert np.ptp(lowest_m) < 0.03 and lowest_m.max() < 0.12


def test_those_who_stand_stay():
    scene = scene_of(person_at(20, 2))
    first, later = body_at(scene, 0, 1.0).pose, body_at(scene, 0, 2.0).pose
    np.testing.assert_allclose(first.left_leg.ankle, later.left_leg.ankle, atol=1e-9)
    assert 0 < np.linalg.norm(first.left_arm.wrist - later.left_arm.wrist) < 0.03


@pytest.mark.parametrize("azimuth_deg", [0, 130])
def test_the_face_is_where_the_voice_comes_from(azimuth_deg):
    scene = scene_of(person_at(azimuth_deg, 2.2))
    for time_s in (0.3, 1.9, 4.1):
        body = body_at(scene, 0, time_s)
        mouth = emitter_place(scene.people[0], "mouth", time_s, scene.room.eye_height_m)
        distance_m = np.linalg.norm(mouth)
        assert abs(hit_distance(body.parts[0], *(mouth / distance_m)) - distance_m) < 0.02


@pytest.mark.parametrize("instrument", ["guitar", "marimba", "cowbell", "rattle"])
def test_instrument_and_hands_are_where_it_sounds(instrument):
    scene = scene_of(person_at(30, 2, instrument=instrument), events=(event_of(0, "instrument"),))
    body = body_at(scene, 0, 2.0)
    place = emitter_place(scene.people[0], "instrument", 2.0, scene.room.eye_height_m)
    ends = body.parts[body.n_own :]["ends"].reshape(-1, 3)
    assert np.linalg.norm(ends.mean(0)[:2] - place[:2]) < 0.25
    assert np.linalg.norm(ends - place, axis=1).min() < 0.20
    for arm in (body.pose.left_arm, body.pose.right_arm):
        assert np.linalg.norm(ends - arm.tip, axis=1).min() < 0.35
        assert np.linalg.norm(arm.tip - place) < 0.65


@pytest.mark.parametrize("instrument", ["marimba", "cowbell", "rattle", "guitar"])
def test_hands_move_while_playing_only(instrument):
    scene = scene_of(person_at(30, 2, instrument=instrument), events=(event_of(0, "instrument", 2.0, 4.0),))

    def travelled_m(start_s):
        tips = [body_at(scene, 0, start_s + step / 30).pose.right_arm.tip for step in range(15)]
        return np.linalg.norm(np.diff(tips, axis=0), axis=1).sum()

    assert travelled_m(2.5) > 5 * travelled_m(5.0)


def test_clapping_hands_meet_where_the_claps_come_from():
    scene = scene_of(person_at(30, 2), events=(event_of(0, "hands"),))
    pose = [body_at(scene, 0, time_s).pose for time_s in np.arange(2, 2.5, 1 / 30)]
    apart_m = [np.linalg.norm(p.left_arm.tip - p.right_arm.tip) for p in pose]
    assert min(apart_m) < 0.12 and max(apart_m) - min(apart_m) > 0.1
    place = emitter_place(scene.people[0], "hands", 2.0, scene.room.eye_height_m)
    middle = np.mean([(p.left_arm.tip + p.right_arm.tip) / 2 for p in pose], axis=0)
    assert np.linalg.norm(middle - place) < 0.08


def test_a_mouth_opens_four_times_a_second_while_its_owner_speaks():
    scene = scene_of(person_at(0, 2), person_at(90, 2), events=(event_of(0, "mouth", 1.0, 5.0),))
    times_s = np.arange(0, 7, 0.01)
    mouth = np.array([motion_at(scene, 0, time_s).mouth for time_s in times_s])
    speaking = (times_s >= 1) & (times_s < 5)
    assert not mouth[~speaking].any()
    assert mouth.max() > 0.8 and mouth.min() >= 0 and mouth.max() <= 1
    opened = (np.diff((mouth[speaking] > 0.3).astype(int)) > 0).sum()
    assert 13 <= opened <= 19
    assert not any(motion_at(scene, 1, time_s).mouth for time_s in times_s)


def test_looks_differ_and_are_kept():
    bodies = [body_at(scene_of(person_at(0, 2, look=look)), 0, 0.0) for look in range(8)]
    assert len({body.look.top.tobytes() for body in bodies}) >= 4
    again = body_at(scene_of(person_at(0, 2, look=5)), 0, 0.0)
    assert again.parts.tobytes() == bodies[5].parts.tobytes()


def test_a_cross_product_is_numpys_to_the_last_bit():
    pairs = np.random.default_rng(0).standard_normal((200, 2, 3))
    assert all(np.array_equal(crossed(*pair), np.cross(*pair)) for pair in pairs)
