import numpy as np
import pytest

from savg_ray.dataset.annotations import Annotations
from savg_ray.dataset.labels import folded_azimuth_deg, write_degree_labels, write_pixel_labels
from savg_ray.spatial.perspective import View
from savg_ray.spatial.screen import true_position

ROWS = Annotations(*np.array([(0, 9, 2, 100, 10, 300), (4, 0, 1, 75, -5, 120), (49, 1, 1, -60, 0, 80)]).T)


def test_pixel_labels_hold_what_is_in_the_picture(tmp_path):
    write_pixel_labels(tmp_path / "a.csv", ROWS, 270, View())
    lines = [tuple(map(int, line.split(","))) for line in (tmp_path / "a.csv").read_text().splitlines()]
    assert [line[:2] for line in lines] == [(0, 9), (4, 0)]
    for (_, _, x_px, y_px), azimuth, elevation in zip(lines, (10, -15), (10, -5), strict=True):
        true_x, true_y = true_position(azimuth, elevation, View())
        assert x_px == pytest.approx(true_x, abs=2)
        assert y_px == pytest.approx(true_y, abs=2)
    assert lines[0][2] < 128 < lines[1][2]
    assert lines[0][3] < 72 < lines[1][3]


def test_degree_labels_hold_everything_with_the_back_folded_to_the_front(tmp_path):
    write_degree_labels(tmp_path / "a.csv", ROWS, 30, View(640, 360))
    assert (tmp_path / "a.csv").read_text().splitlines() == [
        "frame,class,source,azimuth,distance,onscreen",
        "0,9,2,50,300,0",
        "4,0,1,75,120,0",
        "49,1,1,-30,80,1",
    ]


def test_folding():
    azimuths = np.array([-180, -170, -91, -90, 0, 90, 91, 100, 179])
    np.testing.assert_array_equal(folded_azimuth_deg(azimuths), [0, -10, -89, -90, 0, 90, 89, 80, 1])
    # What folding must keep is all that stereo can hear.
    heard, folded = (np.sin(np.radians(angles)) for angles in (azimuths, folded_azimuth_deg(azimuths)))
    np.testing.assert_allclose(folded, heard, atol=1e-12)
