import errno

import pyarrow.parquet as pq
import pytest

from savg_ray.errors import UserError
from savg_ray.evaluation.feature_store import FeatureStore, result_key


def test_values_are_found_by_a_later_run(tmp_path):
    store = FeatureStore(tmp_path / "cache")
    store.add("a", b"1")
    assert store.lookup(["a"]) == {}
    store.flush()
    store.add("b", b"\0\xff")
    store.flush()
    store.flush()
    later = FeatureStore(tmp_path / "cache")
    assert later.lookup(["a", "b", "c"]) == {"a": b"1", "b": b"\0\xff"}
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_a_damaged_file_costs_only_itself(tmp_path):
    store = FeatureStore(tmp_path)
    store.add("a", b"1")
    store.flush()
    (tmp_path / "0000.parquet").write_bytes(b"PAR1 cut off")
    assert store.lookup(["a"]) == {"a": b"1"}


def test_whatever_could_change_a_result_changes_its_key():
    base = result_key("sha", "seld", {"weights": "w", "torch": "2"})
    assert base == result_key("sha", "seld", {"torch": "2", "weights": "w"})
    others = [
        result_key("other", "seld", {"weights": "w", "torch": "2"}),
        result_key("sha", "detections", {"weights": "w", "torch": "2"}),
        result_key("sha", "seld", {"weights": "v", "torch": "2"}),
        result_key("sha", "seld", {"weights": "w"}),
    ]
    assert len({base, *others}) == 5


def test_a_full_disk_is_one_sentence_and_leaves_no_half_file(tmp_path, monkeypatch):
    store = FeatureStore(tmp_path)
    store.add("a", b"1")

    def full(table, path):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(UserError, match="No space left on device"):
        store.flush()
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    store.flush()
    assert store.lookup(["a"]) == {"a": b"1"}


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="--cache"):
        FeatureStore(tmp_path / "file" / "cache")
