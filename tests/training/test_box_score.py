import numpy as np
import pytest

from savg_ray.training.box_score import BoxScore

NOBODY = np.empty((0, 4))


def test_every_person_is_found_once():
    score = BoxScore()
    people = np.array([[0, 0, 10, 10], [20, 0, 30, 10]])
    # The second box finds the person of the first again; the last one overlaps too little.
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 8], [26, 0, 36, 10]])
    score.update(boxes, people, NOBODY)
    assert (score.found, score.missed, score.false) == (1, 1, 2)
    assert score.values() == pytest.approx({"recall": 1 / 2, "precision": 1 / 3, "f_score": 2 / 5, "mean_iou": 1})


def test_the_first_box_takes_the_person_it_overlaps_most():
    score = BoxScore()
    score.update(np.array([[1, 0, 11, 10]]), np.array([[4, 0, 14, 10], [0, 0, 10, 10]]), NOBODY)
    assert score.ious == pytest.approx([9 / 11])


def test_people_hardly_seen_may_be_found_or_not():
    score = BoxScore()
    hardly = np.array([[0, 0, 4, 40]])
    score.update(np.array([[0, 10, 6, 30], [2, 0, 12, 40]]), NOBODY, hardly)
    assert (score.found, score.missed, score.false) == (0, 0, 1)
    score.update(NOBODY, NOBODY, hardly)
    assert score.missed == 0


def test_nothing_to_divide():
    assert set(BoxScore().values().values()) == {0.0}
