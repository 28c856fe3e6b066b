"""Boxes from the truth of scenes: by hand, and against people painted into rooms."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from savg_ray.dataset.config import load_dataset_config
from savg_ray.errors import ClipError, UserError
from savg_ray.scenes.compose import compose_scene
from savg_ray.scenes.pictures.painter import ScenePainter
from savg_ray.spatial.perspective import Projector, View
from savg_ray.training.boxes import HARDLY_SEEN, ensure_boxes, read_boxes, write_boxes
from savg_ray.training.seen_people import hidden_by_others, people_in_view, shown_angles_deg
from tests.media.files import write_media

VIEW = View()
WIDTH_PX = 480
EVERYWHERE = np.array([-180.0, 180, -90, 90])
# Where a picture differs from the empty room by more, somebody stands; shadows stay below.
_SOMEBODY = 30


def balls(*places):
    """One person of balls (azimuth to the left, elevation, distance, radius): float64 (1, K, 4)."""
    azimuth, elevation, distance, radius = np.array(places, float).T
    azimuth, elevation = np.radians(azimuth), np.radians(elevation)
    x, y = (f(azimuth) * np.cos(elevation) * distance for f in (np.cos, np.sin))
    return np.stack([x, y, np.sin(elevation) * distance, radius], axis=-1)[None]


def seen(bodies, yaw_deg=0, shown=EVERYWHERE, hidden=None):
    hidden = np.zeros(bodies.shape[:2], bool) if hidden is None else hidden
    boxes, share = people_in_view(bodies, np.broadcast_to(shown, (len(bodies), 4)), hidden, yaw_deg, VIEW)
    return boxes[0], share[0]


def column_px(right_deg):
    """Where a direction on the horizon lies; the centres of the outermost pixels are 50 degrees aside."""
    return 127.5 * (1 + np.tan(np.radians(right_deg)) / np.tan(np.radians(50))) + 0.5


def test_a_ball_straight_ahead():
    box, share = seen(balls((0, 0, 2, 0.5)))
    half_px = 127.5 * np.tan(np.arcsin(0.25)) / np.tan(np.radians(50))
    assert box == pytest.approx([128 - half_px, 72 - half_px, 128 + half_px, 72 + half_px], abs=0.3)
    assert share == 1


@pytest.mark.parametrize(("azimuth", "yaw"), [(30, 0), (-20, 0), (100, -70), (-170, 200), (180, 180)])
def test_a_ball_is_where_its_direction_is(azimuth, yaw):
    """Positive azimuths lie to the left, and looking to the right moves everything to the left."""
    box, _ = seen(balls((azimuth, 10, 3, 0.2)), yaw)
    aside = -((azimuth + yaw + 180) % 360 - 180)
    half = np.degrees(np.arcsin(0.2 / (3 * np.cos(np.radians(10)))))
    assert box[[0, 2]] == pytest.approx([column_px(aside - half), column_px(aside + half)], abs=1e-6)
    assert box[3] < 72


def test_beside_and_behind_nobody_is_seen():
    for azimuth in (62, 90, 180, -120):
        box, share = seen(balls((azimuth, 0, 2, 0.2)))
        assert np.isnan(box).all() and share == 0


def test_boxes_end_at_the_edge_of_the_picture():
    box, share = seen(balls((50, 0, 2, 0.4), (-45, 0, 2, 0.1), (0, -60, 1, 0.3)))
    assert box[0] == pytest.approx(0) and 235 < box[2] < 256 and box[3] < 120
    box, share = seen(balls((0, 0, 1, 0.3), (0, -45, 1.5, 0.3)))
    assert box[3] == pytest.approx(144) and 0 < share < 1


def test_boxes_end_where_something_nearer_begins():
    """A table hides what lies more than 5 degrees down, and a cupboard what is to the right of the middle."""
    person = balls((0, 20, 2, 0.2), (0, 0, 2, 0.2), (0, -20, 2, 0.2))
    whole, _ = seen(person)
    box, share = seen(person, shown=np.array([-90, 0.0, -5, 90]))
    assert box[:2] == pytest.approx(whole[:2])
    assert box[2] == pytest.approx(128) and box[3] == pytest.approx(72 + 5 * 1.867, abs=0.3)
    assert share == pytest.approx(2 / 3)


def test_angles_of_a_box_across_the_seam():
    angles = shown_angles_deg(np.array([470.0, 100, 500, 140]), 480)
    assert angles == pytest.approx([172.125, 195.375, -15.375, 15.375])
    box, _ = seen(balls((180, 0, 2, 0.2)), yaw_deg=180, shown=angles)
    assert box[0] < 128 < box[2]
    assert np.isnan(shown_angles_deg(np.full(4, np.nan), 480)).all()


def test_the_nearer_person_hides_the_other_one():
    bodies = np.concatenate([balls((0, 0, 3, 0.2), (20, 0, 3, 0.2)), balls((0, 0, 1, 0.2), (-30, 0, 1, 0.2))])
    hidden = hidden_by_others(bodies)
    assert hidden.tolist() == [[True, False], [False, False]]
    _, share = seen(bodies, hidden=hidden)
    assert share == pytest.approx(0.5)


def painted_boxes(scene, time_s, person):
    """Boxes of the pixels that show a person, by looking at the picture with and without them; by yaw."""
    size = WIDTH_PX, WIDTH_PX // 2
    others = tuple(one for i, one in enumerate(scene.people) if i != person)
    projector = Projector(VIEW, *size)
    with_person = ScenePainter(scene, *size).paint(time_s)
    without = ScenePainter(replace(scene, people=others, events=()), *size).paint(time_s)
    for yaw in range(0, 360, 30):
        difference = projector.project(with_person, yaw).astype(int) - projector.project(without, yaw)
        rows, columns = np.nonzero(np.abs(difference).max(axis=2) > _SOMEBODY)
        if len(rows) > 200:
            yield yaw, np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


@pytest.mark.parametrize("number", [0, 4])
def test_boxes_are_where_people_are_painted(number):
    """Nobody of these plays an instrument, which would be seen, but belongs to no box."""
    scene = compose_scene(7, number, 4.0, reflections=False, ambience=False)
    painter, time_s, checked = ScenePainter(scene, WIDTH_PX, WIDTH_PX // 2), 2.05, 0
    bodies = np.stack([painter.body_points(person, time_s) for person in range(len(scene.people))])
    shown = np.full((len(bodies), 4), np.nan)
    for box in painter.boxes(time_s):
        shown[box.person] = box.x0_px, box.y0_px, box.x1_px, box.y1_px
    hidden = hidden_by_others(bodies)
    for person, one in enumerate(scene.people):
        if one.instrument is not None:
            continue
        for yaw, painted in painted_boxes(scene, time_s, person):
            angles = shown_angles_deg(shown, WIDTH_PX)
            boxes, share = people_in_view(bodies, angles, hidden, yaw, VIEW)
            if share[person] < 0.3:
                continue
            assert np.abs(boxes[person] - painted).max() < 5, (person, yaw)
            checked += 1
    assert checked >= 2


N_FRAMES, PART, NAME = 60, "dev-train-sony", "fold3_room21_mix001"


def write_truth(root, bodies, shown):
    """The truth of a recording: bodies (F, P, K, 4), and boxes (F, P, 4) of 480x240 pictures."""
    frame, person = (part.ravel() for part in np.indices(bodies.shape[:2]))
    sides = ("x0_px", "y0_px", "x1_px", "y1_px")
    columns = {side: pa.array(shown[..., i].ravel(), from_pandas=True) for i, side in enumerate(sides)}
    body = list(bodies.reshape(len(frame), -1).astype(np.float32))
    (root / "truth_dev" / PART).mkdir(parents=True)
    table = pa.table({"frame": frame, "person": person, **columns, "body": pa.array(body, pa.list_(pa.float32()))})
    pq.write_table(table, root / "truth_dev" / PART / f"{NAME}.parquet")
    (root / "video_dev" / PART).mkdir(parents=True)
    black = np.zeros((N_FRAMES, WIDTH_PX // 2, WIDTH_PX, 3), np.uint8)
    write_media(root / "video_dev" / PART / f"{NAME}.mp4", black, None, fps=10)


@pytest.fixture
def built(tmp_path):
    """A ball that moves 1 degree to the right a label frame, from straight ahead on; and another far to the left."""
    paths = [[balls((-frame, 0, 2, 0.2)), balls((40, 0, 6, 0.05))] for frame in range(N_FRAMES)]
    shown = np.broadcast_to([0.0, 0, WIDTH_PX, WIDTH_PX // 2], (N_FRAMES, 2, 4)).copy()
    shown[30:, 1] = np.nan
    write_truth(tmp_path / "scenes", np.array(paths)[:, :, 0], shown)
    clips = tmp_path / "clips"
    clips.mkdir()
    config = load_dataset_config("laptop")
    (clips / "dataset.json").write_text(json.dumps({"version": 1, **config.content}))
    rows = [(0, 0, "kept"), (10, 30, "kept"), (0, 90, "off_screen")]
    kept = [f"{NAME}_deg{yaw:03d}_start{start:04d}" if fate == "kept" else None for start, yaw, fate in rows]
    table = {
        **{key: [value] * 3 for key, value in {"recording": NAME, "part": PART, "split": "dev"}.items()},
        "start_frame": [row[0] for row in rows],
        "yaw_deg": [row[1] for row in rows],
        "clip": kept,
    }
    pq.write_table(pa.table(table), clips / "manifest.parquet")
    return tmp_path


def test_boxes_of_a_data_set(built):
    write_boxes(built / "clips", "dev", built / "scenes")
    names = sorted(path.name for path in (built / "clips" / "boxes_dev").iterdir())
    assert names == [f"{NAME}_deg000_start0000.csv", f"{NAME}_deg030_start0010.csv"]
    for name, start, yaw in zip(names, (0, 10), (0, 30), strict=True):
        frames, labels, boxes = read_boxes(built / "clips" / "boxes_dev" / name)
        near = boxes[:, 2] - boxes[:, 0] > 12
        for frame, box in zip(frames[near], boxes[near], strict=True):
            # Pictures are 0.25 s apart, and label frame n tells where the ball is at n + 0.5 tenths of a second.
            numbers = round((start / 10 + frame / 4) * 10)
            aside = max(numbers - 0.5, 0) - yaw
            half = np.degrees(np.arcsin(0.1))
            expected = [column_px(aside - half), column_px(aside + half)]
            assert box[[0, 2]] == pytest.approx(np.clip(expected, 0, 256), abs=1)
            assert (box[1] + box[3]) / 2 == pytest.approx(128, abs=0.1)
        assert (labels[near] == 0).sum() >= 18
        # The far ball is less than 5 px wide, and hidden from label frame 30 on.
        assert (labels[~near] == HARDLY_SEEN).all()
        far = frames[boxes[:, 2] < column_px(-30)] if yaw == 0 else np.array([0])
        assert far.max() <= 12


def test_boxes_are_written_once(built):
    root = built / "clips"
    with pytest.raises(UserError, match=r"boxes_dev is missing; set task.recordings"):
        ensure_boxes(root, "dev", None)
    ensure_boxes(root, "dev", built / "scenes")
    first = sorted((root / "boxes_dev").iterdir())[0]
    first.write_text("")
    ensure_boxes(root, "dev", None)
    assert first.read_text() == ""


def test_what_is_missing_is_named(built):
    with pytest.raises(UserError, match="names no clips of eval"):
        write_boxes(built / "clips", "eval", built / "scenes")
    with pytest.raises(UserError, match=r"fold3_room21_mix001.parquet is missing; name the folder"):
        write_boxes(built / "clips", "dev", built)
    (built / "clips" / "dataset.json").unlink()
    with pytest.raises(UserError, match=r"dataset.json cannot be read"):
        write_boxes(built / "clips", "dev", built / "scenes")
    assert not list(built.glob("clips/*boxes*"))


@pytest.mark.parametrize("row", ["0.5,0,1,1,2,2", "-1,0,1,1,2,2", "0,3,1,1,2,2", "0,0,2,1,2,2", "0,0,1,1,2,nan"])
def test_bad_rows_are_refused(tmp_path, row):
    path = tmp_path / "clip.csv"
    path.write_text(f"0,0,1,1,2,2\n{row}\n")
    with pytest.raises(ClipError, match="line 2"):
        read_boxes(path)
    path.write_text("3,-1,1.5,1,2,2\n")
    assert [part.tolist() for part in read_boxes(path)] == [[3], [-1], [[1.5, 1, 2, 2]]]
