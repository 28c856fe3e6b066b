import numpy as np
import pytest

from savg_ray.errors import ClipError, UserError
from savg_ray.metrics.seld_score import joint_score, seld_score
from tests.toys import golden_json


@pytest.mark.parametrize("case", golden_json("seld_metrics.json"), ids=lambda case: "+".join(case["files"]))
def test_golden_scores(case):
    files = {name: (np.array(f["ref_rows"]), np.array(f["pred_rows"])) for name, f in case["files"].items()}
    found = seld_score(files)
    expected = {
        "ER": found.error_rate,
        "ER_D": found.deletion_rate,
        "ER_I": found.insertion_rate,
        "ER_S": found.substitution_rate,
        "F": found.mean.f_score,
        "precision": found.mean.precision,
        "recall": found.mean.recall,
        "LE": found.mean.localization_error_px,
        "LF": found.mean.localization_f,
        "LP": found.mean.localization_precision,
        "LR": found.mean.localization_recall,
        "SELD": found.score,
    }
    for key, value in expected.items():
        assert value == pytest.approx(case[key], rel=1e-9), key
    by_class = [
        (
            found.error_rate,
            score.f_score,
            score.localization_error_px,
            score.localization_recall,
            joint_score(found.error_rate, score),
        )
        for score in found.by_class.values()
    ]
    np.testing.assert_allclose(np.transpose(by_class), case["classwise"], rtol=1e-9)


def reference(*rows):
    return np.array([(frame, dataset_id, x, 100) for frame, dataset_id, x in rows])


def score(wanted, found):
    return seld_score({"clip": (reference(*wanted), np.array(found, dtype=float).reshape(-1, 3))})


SPEECH = [(frame, 0, 50) for frame in range(11)]
BOTH = SPEECH + [(frame, 9, 200) for frame in range(11)]


def test_perfect_predictions():
    found = score(BOTH, [(frame, label // 9, x) for frame, label, x in BOTH])
    assert (found.error_rate, found.score) == (0, 0)
    assert found.mean.f_score == found.mean.localization_recall == 1
    assert found.mean.localization_error_px == 0


def test_silence_misses_everything():
    """Two blocks (last frame 10 counts as the end of the first only): two misses, both deletions."""
    found = score(BOTH, [])
    assert (found.error_rate, found.deletion_rate) == (1, 1)
    assert found.mean.f_score == found.mean.localization_recall == 0
    assert found.mean.localization_error_px == 256
    assert found.score == 1


@pytest.mark.parametrize(("offset", "near"), [(40, True), (41, False)])
def test_a_track_is_near_up_to_40_px(offset, near):
    found = score(SPEECH, [(frame, 0, 50 + offset) for frame in range(11)])
    speech = found.by_class["speech"]
    assert speech.f_score == float(near)
    assert speech.localization_error_px == offset and speech.localization_recall == 1
    # A far track is an excess without a miss to pair it with: an insertion.
    assert found.insertion_rate == float(not near) and found.substitution_rate == 0


def test_tracks_are_matched_at_the_least_total_distance():
    wanted = [(0, 0, 50), (0, 1, 100), (9, 0, 50), (10, 0, 50)]
    found = score(wanted, [(0, 0, 98), (0, 0, 53), (9, 0, 51)])
    # Track 1 is off by 3 and 1 px, track 2 by 2 px.
    assert found.by_class["speech"].localization_error_px == pytest.approx((2 + 2) / 2)
    assert found.error_rate == 0


def test_the_wrong_class_is_a_substitution():
    found = score(SPEECH, [(frame, 1, 50) for frame in range(11)])
    assert (found.error_rate, found.substitution_rate) == (1, 1)
    assert found.by_class["speech"].localization_recall == 0


def test_extra_and_missing_tracks():
    extra = score(SPEECH, [(frame, 0, x) for frame in range(11) for x in (50, 90)])
    assert extra.insertion_rate == 1 and extra.by_class["speech"].f_score == pytest.approx(1 / 1.5)
    assert extra.by_class["speech"].localization_precision == 0.5
    two = [(frame, 0, x) for frame in range(11) for x in (50, 150)]
    missing = score(two, [(frame, 0, 50) for frame in range(11)])
    assert missing.deletion_rate == 0.5 and missing.by_class["speech"].localization_recall == 0.5


def test_a_class_that_never_meets_its_label_counts_its_predictions_as_misses():
    found = score([(0, 0, 50), (1, 0, 50), (10, 9, 50)], [(5, 0, 50), (5, 0, 60)])
    assert found.deletion_rate == 2
    assert found.by_class["speech"].f_score == 0


def test_blocks_after_the_last_reference_frame_are_not_looked_at():
    later = [(frame, 1, 50.0) for frame in range(20, 30)]
    assert score(SPEECH, [(frame, 0, 50) for frame in range(10)] + later).error_rate == 0


def test_files_add_up():
    clip = reference(*SPEECH), np.array([(frame, 0, 50) for frame in range(11)])
    silent = reference(*SPEECH), np.empty((0, 3))
    none = np.empty((0, 4)), np.array([(3, 1, 20)])
    found = seld_score({"a": clip, "b": silent, "c": none})
    assert found.error_rate == 0.5 and found.by_class["speech"].localization_recall == 0.5


def test_unusable_labels():
    with pytest.raises(UserError, match="label row"):
        seld_score({"clip": (np.empty((0, 4)), np.empty((0, 3)))})
    with pytest.raises(ClipError, match="clip holds class id 5"):
        score([(0, 5, 10), (10, 0, 10)], [])
