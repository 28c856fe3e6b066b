import numpy as np
import pytest

from savg_ray.errors import ClipError
from savg_ray.seld.labels import frame_labels, read_labels, with_classes
from tests.toys import golden_npz

GOLDEN = golden_npz("seld_labels.npz")
STARTS = [key.removeprefix("cat_") for key in GOLDEN if key.startswith("cat_")]


@pytest.mark.parametrize("key", STARTS)
def test_golden_labels(key):
    seed, start_s = key.split("_")
    activity, x_px = frame_labels(with_classes(GOLDEN[f"rows_{seed}"]), float(start_s), 1.27)
    assert activity.dtype == x_px.dtype == np.float32
    np.testing.assert_array_equal(activity, GOLDEN[f"cat_{key}"][0])
    np.testing.assert_array_equal(x_px, GOLDEN[f"azi_{key}"][0])


@pytest.mark.parametrize("seed", [31, 32])
def test_golden_classes_and_whole_clip(seed):
    rows = with_classes(GOLDEN[f"rows_{seed}"])
    np.testing.assert_array_equal(rows, GOLDEN[f"mapped_rows_{seed}"])
    activity, x_px = frame_labels(rows, 0.0, 5.0)
    np.testing.assert_array_equal(activity, GOLDEN[f"full_cat_{seed}"][0])
    np.testing.assert_array_equal(x_px, GOLDEN[f"full_azi_{seed}"][0])


def test_only_the_first_row_of_the_lowest_class_counts():
    rows = np.array([[4, 1, 200], [4, 0, 50], [4, 0, 60], [5, 1, 70]])
    activity, x_px = frame_labels(rows, 0.4, 0.2)
    assert x_px[0].tolist() == [50] * 10 + [0] * 11
    assert x_px[1].tolist() == [0] * 10 + [70] * 10 + [0]
    np.testing.assert_array_equal(activity, x_px > 0)


@pytest.mark.parametrize("text", ["3,9,120,40\n4,1,10,50\n", "3,9,120,40,0,0\n4,1,10,50,0,0\n", "3,9,120\n4,1,10\n"])
def test_metadata_files(tmp_path, text):
    path = tmp_path / "clip.csv"
    path.write_text(text)
    assert read_labels(path).tolist() == [[3, 1, 120], [4, 0, 10]]


def test_an_empty_metadata_file_is_silence(tmp_path):
    path = tmp_path / "clip.csv"
    path.touch()
    activity, x_px = frame_labels(read_labels(path), 1.0, 1.27)
    assert activity.shape == x_px.shape == (2, 128)
    assert not activity.any() and not x_px.any()


def test_other_classes_are_refused(tmp_path):
    (tmp_path / "dog.csv").write_text("0,8,100,20\n")
    with pytest.raises(ClipError, match=r"dog\.csv holds class id 8") as error:
        read_labels(tmp_path / "dog.csv")
    assert error.value.reason == "unknown_class"
