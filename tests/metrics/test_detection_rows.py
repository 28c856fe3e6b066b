import numpy as np
import pytest
import torch

from savg_ray.errors import ClipError
from savg_ray.metrics.detection_rows import read_rows, rows_of_boxes, write_rows
from tests.toys import GOLDEN_METRICS

CSV = GOLDEN_METRICS / "yolox_csv"


@pytest.mark.parametrize("name", ["sample_1", "sample_2", "sample_3"])
def test_csv_is_byte_for_byte_the_official_one(tmp_path, name):
    rows = read_rows(CSV / f"{name}.csv")
    assert set(rows[:, 0]) == set(range(20)) and not rows[:, 1].any()
    write_rows(tmp_path / "again.csv", rows)
    assert (tmp_path / "again.csv").read_bytes() == (CSV / f"{name}.csv").read_bytes()


def test_boxes_are_written_as_the_float64_of_their_float32(tmp_path):
    boxes = torch.tensor([[0.1, -2.5, 30.0, 1e-3]])
    rows = rows_of_boxes([torch.empty(0, 4), boxes, torch.empty(0, 4), torch.cat([boxes, boxes + 1])])
    assert rows[:, 0].tolist() == [1, 3, 3]
    write_rows(tmp_path / "boxes.csv", rows)
    first = (tmp_path / "boxes.csv").read_text().splitlines()[0]
    assert first == "1,0,0.10000000149011612,-2.5,30.0,0.0010000000474974513"
    np.testing.assert_array_equal(read_rows(tmp_path / "boxes.csv"), rows)


def test_no_boxes_are_an_empty_file(tmp_path):
    rows = rows_of_boxes([np.empty((0, 4), np.float32)] * 20)
    assert rows.shape == (0, 6)
    write_rows(tmp_path / "none.csv", rows)
    assert (tmp_path / "none.csv").read_bytes() == b""
    assert read_rows(tmp_path / "none.csv").shape == (0, 6)


@pytest.mark.parametrize("text", ["0,0,1,2,3\n", "0,0,1,2,3,4,5\n", "0,person,1,2,3,4\n", "0,0,1,2,3,inf\n"])
def test_a_damaged_csv_is_named(tmp_path, text):
    path = tmp_path / "damaged.csv"
    path.write_text(text)
    with pytest.raises(ClipError, match=r"damaged\.csv line 1") as error:
        read_rows(path)
    assert error.value.reason == "bad_rows"
