import numpy as np
import pytest

from savg_ray.dataset.annotations import read_annotations
from savg_ray.errors import ClipError


@pytest.fixture
def csv(tmp_path):
    def write(text):
        path = tmp_path / "fold3_room21_mix001.csv"
        path.write_text(text)
        return path

    return write


def test_columns_and_order(csv):
    rows = read_annotations(csv("5,9,2,-180,90,310\n3,0,1,180,-90,20\n3,12,0,7,0,5\n"))
    assert rows.frame.tolist() == [3, 3, 5]
    assert rows.label.tolist() == [0, 12, 9]
    assert rows.source.tolist() == [1, 0, 2]
    assert rows.azimuth_deg.tolist() == [180, 7, -180]
    assert rows.elevation_deg.tolist() == [-90, 0, 90]
    assert rows.distance_cm.tolist() == [20, 5, 310]


def test_the_old_format_has_no_distance(csv):
    rows = read_annotations(csv("0,1,0,10,5\r\n1,1,0,11,5\r\n"))
    assert rows.azimuth_deg.tolist() == [10, 11]
    assert rows.distance_cm is None


def test_silence_is_an_empty_file(csv):
    assert len(read_annotations(csv(""))) == 0


def test_rows_between_frames_count_from_the_first(csv):
    rows = read_annotations(csv("".join(f"{frame},0,0,0,0,0\n" for frame in (0, 4, 5, 5, 9, 10))))
    assert rows.between(5, 10).frame.tolist() == [0, 0, 4]
    assert len(rows.between(11, 61)) == 0
    assert rows.rows(np.array([True, False] * 3)).frame.tolist() == [0, 5, 9]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("0,1,0,10,5,1\n1,1,0,181,5,1\n", 2, "azimuth is 181, not a whole number from -180 to 180"),
        ("0,1,0,10,-91,1\n", 1, "elevation is -91"),
        ("0,13,0,10,5,1\n", 1, "class is 13, not a whole number from 0 to 12"),
        ("-1,1,0,10,5,1\n", 1, "frame is -1"),
        ("0,1,0,10.5,5,1\n", 1, "azimuth is 10.5"),
        ("0,1,0,10,5,1\n1,1,0,10,5\n", 2, "instead of numbers"),
        ("0,1,0,10\n", 1, "instead of numbers"),
        ("frame,class,source,azimuth,elevation,distance\n", 1, "instead of numbers"),
        ("0,1,0,10,5,1\n\n2,1,0,10,5,1\n", 2, "instead of numbers"),
    ],
)
def test_malformed_lines_are_named(csv, text, line, said):
    with pytest.raises(ClipError) as caught:
        read_annotations(csv(text))
    assert caught.value.reason == "bad_rows"
    assert f"fold3_room21_mix001.csv line {line}" in caught.value.message
    assert said in caught.value.message
