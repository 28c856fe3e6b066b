import numpy as np
import pytest

from savg_ray.errors import ClipError
from savg_ray.metrics import SpatialAlignment, spatial_av_align
from savg_ray.metrics.spatial_av_align import SpatialAvAlign
from tests.toys import GOLDEN_METRICS, golden_json

EXPECTED = golden_json("spatial/expected.json")
SAMPLES = ["sample_1", "sample_2", "sample_3"]


def rows(folder, name):
    text = (GOLDEN_METRICS / folder / f"{name}.csv").read_text()
    return np.array([[float(value) for value in line.split(",")] for line in text.splitlines()])


def align(name, seld="spatial/seld", boxes="spatial/od", **options):
    return spatial_av_align(rows(seld, name), rows(boxes, name), **options)


def pooled(alignments):
    metric = SpatialAvAlign()
    for clip_id, counts in alignments.items():
        metric.update(clip_id, counts.tp, counts.fn)
    result = metric.compute()
    return {"TP": result.extras["tp"], "FN": result.extras["fn"], "score": result.value}


def box(frame, x0, x1):
    return [frame, 0, x0, 0, x1, 9]


@pytest.mark.parametrize("name", EXPECTED["per_clip"])
def test_golden_clips(name):
    expected = EXPECTED["per_clip"][name]
    if expected.get("error") == "AssertionError":
        with pytest.raises(ClipError) as caught:
            align(name)
        assert caught.value.reason == "frame_out_of_range"
        return
    result = align(name)
    assert (result.tp, result.fn) == (expected["TP"], expected["FN"])
    # The official code divides by zero where no sound row exists.
    assert result.score == (None if "error" in expected else expected["score"])


def test_golden_pool():
    assert pooled({name: align(name) for name in EXPECTED["global_clips"]}) == EXPECTED["global"]


@pytest.mark.parametrize(
    ("boxes", "key"),
    [
        ("yolox_csv", "from_golden_seld_csv_and_yolox_csv"),
        ("spatial/od_sparse", "from_golden_seld_csv_and_od_sparse"),
    ],
)
def test_golden_sample_clips(boxes, key):
    alignments = {name: align(name, "seld_csv", boxes) for name in SAMPLES}
    for name, counts in alignments.items():
        assert {"TP": counts.tp, "FN": counts.fn, "score": counts.score} == EXPECTED[key][name]
    assert pooled(alignments) == EXPECTED[key]["global"]


def test_sound_left_of_the_picture_truncates_toward_zero():
    assert spatial_av_align([[0, 0, -0.5]], [box(0, 40, 60)]).tp == 1
    assert spatial_av_align([[0, 0, -1.0]], [box(0, 40, 60)]).tp == 0


def test_late_frames_clamp_to_the_last_one_when_asked():
    late = [[52, 0, 100], [400, 1, 100], [400, 1, 200]]
    with pytest.raises(ClipError, match="52"):
        spatial_av_align(late, [box(19, 90, 110)])
    assert spatial_av_align(late, [box(19, 90, 110)], clamp=True) == SpatialAlignment(2, 1, 2 / 3)
    assert spatial_av_align(late, [box(17, 90, 110)], clamp=True) == SpatialAlignment(0, 3, 0.0)


def test_frames_before_the_clip_are_never_accepted():
    with pytest.raises(ClipError, match="-9"):
        spatial_av_align([[-9, 0, 100]], [box(0, 90, 110)], clamp=True)


@pytest.mark.parametrize("clamp", [False, True])
def test_other_lengths_and_rates(clamp):
    """At 10 fps a sound frame is a video frame, give or take one."""
    boxes = [box(60, 90, 110)]
    hits = [
        spatial_av_align([[f, 0, 100]], boxes, clamp=clamp, n_frames=80, fps=10.0).tp for f in (58, 59, 60, 61, 62)
    ]
    assert hits == [0, 1, 1, 1, 0]
    assert spatial_av_align([[80, 0, 100]], [box(79, 90, 110)], n_frames=80, fps=10.0).tp == 1
    with pytest.raises(ClipError, match="80 video frames at 10 fps"):
        spatial_av_align([[81, 0, 100]], [box(79, 90, 110)], n_frames=80, fps=10.0)


def test_mirroring_sound_and_boxes_together_changes_nothing():
    rng = np.random.Generator(np.random.PCG64(1))
    sounds = np.stack([rng.integers(0, 50, 60), np.zeros(60), rng.integers(0, 256, 60)], axis=1)
    left = rng.integers(0, 220, 25)
    boxes = np.stack([rng.integers(0, 20, 25), 0 * left, left, 0 * left, left + 30, 0 * left + 9], axis=1)
    swapped = boxes.copy()
    swapped[:, 2], swapped[:, 4] = 255 - boxes[:, 4], 255 - boxes[:, 2]
    here = spatial_av_align(sounds, boxes)
    assert 0 < here.tp < 60
    assert spatial_av_align(sounds * [1, 1, -1] + [0, 0, 255], swapped) == here


def test_inputs_stay_as_they_are():
    sounds, boxes = np.array([[50.0, 0, 100.7]]), np.array([box(19, 90.5, 110.5)])
    before = sounds.copy(), boxes.copy()
    spatial_av_align(sounds, boxes, clamp=True)
    np.testing.assert_array_equal(sounds, before[0])
    np.testing.assert_array_equal(boxes, before[1])


@pytest.mark.parametrize(
    ("sounds", "boxes"),
    [([[0, 0, 1, 2]], []), ([[0, 0, 1]], [[0, 0, 1, 2]]), ([[0, 0, np.nan]], []), ([0, 0, 1], [])],
)
def test_malformed_rows_are_named(sounds, boxes):
    with pytest.raises(ClipError) as caught:
        spatial_av_align(sounds, boxes)
    assert caught.value.reason == "bad_rows"


def test_no_sound_at_all_gives_a_reason_and_no_number():
    metric = SpatialAvAlign()
    assert metric.compute().value is None
    metric.update("a", 0, 0)
    result = metric.compute()
    assert (result.value, result.n, result.ci95) == (None, 0, None)
    assert "1 clips" in result.reason
    assert result.as_dict()["n_clips_without_sound_rows"] == 1


def test_interval_holds_the_pooled_score():
    rng = np.random.Generator(np.random.PCG64(2))
    metric = SpatialAvAlign()
    for i in range(40):
        n = int(rng.integers(0, 60))
        tp = int(rng.integers(0, n + 1))
        metric.update(f"clip_{i}", tp, n - tp)
    result = metric.compute()
    low, high = result.ci95
    assert 0 < low < result.value < high < 1
    rows_only = 1.96 * np.sqrt(result.value * (1 - result.value) / (result.extras["tp"] + result.extras["fn"]))
    assert (high - low) / 2 > 2 * rows_only
    assert metric.compute() == result
    assert metric.compute(ci=False).ci95 is None
