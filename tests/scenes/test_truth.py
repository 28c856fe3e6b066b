import numpy as np

from savg_ray.dataset.annotations import read_annotations
from savg_ray.scenes.compose import compose_scene
from savg_ray.scenes.script import SoundEvent, direction_deg
from savg_ray.scenes.truth import (
    event_table,
    frame_centre_s,
    label_text,
    n_label_frames,
    person_table,
    sounding_frames,
)
from tests.scenes.pictures.pictured import person_at, walker
from tests.scenes.sounds.heard import GreyPainter, anechoic, place_at, ringing_at, speaking


def test_labels_of_a_small_scene_to_the_last_letter():
    phone = ringing_at(place_at(-179.7, 12.4, 1.234), end_s=0.2)
    speech = speaking(start_s=0.1, end_s=0.3, voice=0)
    person = person_at(90.0, 2.0)
    scene = anechoic(phone, speech, people=(person,), duration_s=0.4)
    # The mouth: 0.055 of 1.7 m nearer than 2 m, 0.895 of 1.7 m above the floor that is 1.4 m below.
    assert label_text(event_table(scene)) == (
        "0,3,0,-180,12,123\n"
        "1,0,1,90,4,191\n"
        "1,3,0,-180,12,123\n"
        "2,0,1,90,4,191\n"
    )  # fmt: skip


def test_frames_that_a_sound_touches():
    def frames(start_s, end_s):
        return list(sounding_frames(SoundEvent(3, 0, start_s, end_s, None, "hands", (1, 0, 0), -30, 1), 100))

    assert frames(0.3, 0.6) == [3, 4, 5]
    assert frames(0.35, 0.61) == [3, 4, 5, 6]
    assert frames(9.8, 10.4) == [98, 99]


def test_labels_can_be_read_and_agree_with_the_script(tmp_path):
    scene = compose_scene(4, 4, 30.0)
    table = event_table(scene)
    path = tmp_path / "labels.csv"
    path.write_text(label_text(table))
    labels = read_annotations(path)
    assert len(labels) == table.num_rows > 100
    keys = np.stack([labels.frame, labels.label, labels.source], axis=1).tolist()
    assert keys == sorted(keys)
    for row in range(0, len(labels), 7):
        event = scene.events[table["event"][row].as_py()]
        frame = int(labels.frame[row])
        assert (event.class_id, event.source) == (labels.label[row], labels.source[row])
        assert event.start_s - 0.1 < frame / 10 < event.end_s
        place = scene.place(event, (frame + 0.5) / 10)
        azimuth_deg, elevation_deg = direction_deg(place)
        assert abs((azimuth_deg - labels.azimuth_deg[row] + 180) % 360 - 180) <= 0.5
        assert abs(elevation_deg - labels.elevation_deg[row]) <= 0.5
        assert abs(100 * np.linalg.norm(place) - labels.distance_cm[row]) <= 0.5
    assert len(labels) == sum(len(sounding_frames(event, 300)) for event in scene.events)


def test_a_silent_scene_has_no_labels():
    table = event_table(anechoic())
    assert table.num_rows == 0
    assert label_text(table) == ""


def test_people_are_noted_frame_by_frame():
    scene = anechoic(people=(walker(), person_at(20, 2)), duration_s=1.0)
    rows = person_table(scene, GreyPainter(scene, 64, 32)).to_pylist()
    assert len(rows) == 2 * n_label_frames(scene) == 20
    seen, hidden = rows[14], rows[15]
    assert (seen["frame"], seen["person"]) == (7, 0)
    assert seen["x0_px"] == 3.0 + frame_centre_s(7) and hidden["x0_px"] is None
    mouth = scene.place(speaking(0), 0.75)
    assert (seen["mouth_azimuth_deg"], seen["mouth_elevation_deg"]) == direction_deg(mouth)
    assert seen["mouth_distance_m"] == np.linalg.norm(mouth)
    np.testing.assert_allclose(np.reshape(seen["body"], (-1, 4)), [[0, 0.75, 0, 0.25], [0, 0.75, 1, 0.125]])
