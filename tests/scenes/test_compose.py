from itertools import combinations

import numpy as np
import pytest

from savg_ray.scenes.compose import compose_scene
from savg_ray.scenes.rooms import is_free
from savg_ray.scenes.roster import recording_name
from savg_ray.scenes.script import direction_deg
from savg_ray.scenes.truth import event_table

DURATION_S = 60.0


@pytest.fixture(scope="module")
def scenes():
    return [compose_scene(seed, i, DURATION_S) for seed in (0, 1) for i in range(14)]


@pytest.fixture(scope="module")
def tables(scenes):
    """frame and class of all labels, by scene."""
    tables = [event_table(scene) for scene in scenes]
    return [(np.array(table["frame"]), np.array(table["class"])) for table in tables]


def places(scene, step_s=0.25):
    """(people, times, 2)."""
    times = np.arange(0, scene.duration_s, step_s)
    states = [[person.at(float(time)) for time in times] for person in scene.people]
    return np.array([[(state.x_m, state.y_m) for state in row] for row in states])


def test_a_scene_depends_on_seed_and_number_alone(scenes):
    assert compose_scene(0, 3, DURATION_S) == scenes[3]
    assert len({scene.seed for scene in scenes}) == len(scenes)
    plain = compose_scene(0, 3, DURATION_S, reflections=False, ambience=False)
    assert (plain.people, plain.events) == (scenes[3].people, scenes[3].events)
    assert plain.ambience_db is None and not plain.reflections


def test_the_same_room_looks_the_same_and_holds_other_people():
    first, again = (i for i in range(12) if recording_name(i).room == 21)
    a, b = compose_scene(0, first, 10.0), compose_scene(0, again, 10.0)
    assert a.room == b.room
    assert a.people != b.people


def test_people_stay_in_the_room_and_off_the_camera_and_each_other(scenes):
    for scene in scenes:
        spots = places(scene)
        assert np.hypot(*np.moveaxis(spots, 2, 0)).min() >= 0.9
        assert all(is_free(scene.room, x, y) for row in spots for x, y in row)
        for a, b in combinations(spots, 2):
            assert np.hypot(*(a - b).T).min() >= 0.8


def test_people_walk_and_the_paths_have_no_jump(scenes):
    steps = [np.hypot(*np.diff(places(scene, 0.1), axis=1).T) for scene in scenes]
    assert max(step.max() for step in steps) < 0.15
    walked_m = [step.sum(axis=0).max() for step in steps]
    assert np.mean(np.array(walked_m) > 2.0) > 0.8


def test_standing_people_face_the_camera_more_or_less(scenes):
    away_deg = [
        abs((state.heading_deg - np.degrees(np.arctan2(-state.y_m, -state.x_m)) + 180) % 360 - 180)
        for scene in scenes
        for person in scene.people
        for state in map(person.at, np.arange(0.0, DURATION_S, 1.7))
        if state.walking == 0
    ]
    assert np.median(away_deg) < 30


def test_events_lie_on_the_grid_of_labels_and_within_the_scene(scenes):
    for scene in scenes:
        for event in scene.events:
            assert 0 <= event.start_s < event.end_s < scene.duration_s
            ticks = np.array([event.start_s, event.end_s]) * 10
            assert np.allclose(ticks, np.rint(ticks))
            assert event.source == (0 if event.person is None else event.person + 1)
            if event.class_id in (0, 1):
                assert scene.people[event.person].voice == event.class_id
            if event.class_id == 9:
                assert scene.people[event.person].instrument


def test_nobody_makes_two_sounds_at_once_but_for_steps(scenes):
    for scene in scenes:
        for a, b in combinations([event for event in scene.events if event.class_id != 6], 2):
            if a.person == b.person and a.person is not None:
                assert a.end_s <= b.start_s or b.end_s <= a.start_s


def test_everything_that_curation_must_sort_out_is_there(scenes, tables):
    assert set(np.concatenate([label for _, label in tables])) >= {0, 1, 2, 3, 4, 5, 6, 7, 9, 12}
    # Two who sound at once, more than a view apart.
    for scene in scenes:
        for a, b in combinations(scene.events, 2):
            time_s = max(a.start_s, b.start_s)
            if time_s < min(a.end_s, b.end_s):
                apart = direction_deg(scene.place(a, time_s))[0] - direction_deg(scene.place(b, time_s))[0]
                if abs((apart + 180) % 360 - 180) > 100:
                    return
    pytest.fail("no two sounds are ever more than 100 degrees apart")


def test_shares_of_overlap_speech_and_music(tables):
    counts = [np.bincount(frame, minlength=600) for frame, _ in tables]
    counts = np.concatenate(counts)
    assert 0.08 < (counts > 1).sum() / (counts > 0).sum() < 0.25
    labels = np.concatenate([label for _, label in tables])
    assert 1.5 < np.isin(labels, (0, 1)).sum() / (labels == 9).sum() < 3.5


def test_many_windows_are_one_sound_alone_for_four_of_five_seconds(tables):
    good = 0
    for frame, label in tables:
        counts = np.bincount(frame, minlength=600)
        for start in range(0, 551, 5):
            window = counts[start : start + 50]
            inside = (frame >= start) & (frame < start + 50)
            good += window.max() == 1 and (window > 0).sum() >= 40 and np.isin(label[inside], (0, 1, 9)).all()
    assert good / (len(tables) * 111) > 0.4


@pytest.mark.parametrize("duration_s", [1.2, 3.0, 5.0])
def test_short_scenes_can_be_written(duration_s):
    for recording in range(7):
        scene = compose_scene(9, recording, duration_s)
        assert all(event.end_s <= duration_s for event in scene.events)
