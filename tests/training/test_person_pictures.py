"""Changed pictures: the boxes go with them."""

import numpy as np
import pytest

from savg_ray.training.person_pictures import Changes, change_picture

HEIGHT, WIDTH = 72, 128
BOX = np.array([[30.0, 20, 60, 50]])
LABEL = np.array([0])


def picture_of(boxes):
    picture = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
    for x0, y0, x1, y1 in boxes.astype(int):
        picture[y0:y1, x0:x1] = 200
    return picture


def bright_box(picture):
    rows, columns = np.nonzero(picture[..., 1] > 130)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


@pytest.mark.parametrize("changes", [Changes(mirror=True), Changes(zoom=1.6), Changes(True, 1.5, 0.1, 0.0)])
def test_the_box_stays_around_what_it_held(changes):
    for seed in range(20):
        random = np.random.default_rng(seed)
        picture, boxes, labels = change_picture(picture_of(BOX), BOX, LABEL, changes, random)
        assert picture.shape == (HEIGHT, WIDTH, 3) and picture.dtype == np.uint8
        if labels.tolist() == [0]:
            assert np.abs(boxes[0] - bright_box(picture)).max() <= 1, seed


def test_half_are_mirrored():
    sides = [
        change_picture(picture_of(BOX), BOX, LABEL, Changes(mirror=True), np.random.default_rng(seed))[1][0, 0]
        for seed in range(200)
    ]
    assert set(sides) == {30.0, WIDTH - 60.0} and 70 < sides.count(30.0) < 130


def test_no_changes_leave_everything_as_it_is():
    boxes = np.array([[0.0, 0, 50, 60], [100, 10, 128, 72]])
    picture, found, labels = change_picture(
        picture_of(boxes), boxes, np.array([0, -1]), Changes(), np.random.default_rng(0)
    )
    assert (picture == picture_of(boxes)).all() and (found == boxes).all() and labels.tolist() == [0, -1]


def test_people_cut_off_are_hardly_seen_or_gone():
    boxes = np.array([[60.0, 30, 70, 40], [0, 0, 30, 30], [110, 60, 128, 72]])
    labels = np.array([0, 0, -1])
    gone = hardly = 0
    for seed in range(100):
        _, found, kept = change_picture(
            picture_of(boxes), boxes, labels, Changes(zoom=3.0), np.random.default_rng(seed)
        )
        assert (found >= 0).all() and (found <= [WIDTH, HEIGHT, WIDTH, HEIGHT]).all()
        assert (found[:, 2:] > found[:, :2]).all() and len(found) == len(kept)
        gone += len(found) < 2
        hardly += (kept == -1).any() and len(found) == 2
    assert gone > 5 and hardly > 5


def test_soft_pictures_have_less_detail():
    noise = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    soft, _, _ = change_picture(noise, BOX, LABEL, Changes(soften=1.0), np.random.default_rng(1))
    assert soft.shape == noise.shape and soft.std() < 0.8 * noise.std()
