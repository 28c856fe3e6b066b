import numpy as np
import pyarrow.parquet as pq
import pytest

from savg_ray.dataset.annotations import Annotations
from savg_ray.dataset.manifest import PartSummary, events_of, join_parts, labelled_frames, read_summary, write_part
from savg_ray.dataset.rules import CLIPPED, FATES, KEPT
from savg_ray.dataset.windows import listed_candidates
from tests.dataset.recordings import config_with

# Speech that pauses at frame 3, a piano over its end, and another speaker of the same class.
ROWS = Annotations(
    *np.array(
        [(f, 0, 1, 0, 0, 90) for f in (0, 1, 2, 4, 5)]
        + [(f, 9, 2, 9, 0, 90) for f in (5, 6)]
        + [(6, 0, 3, 0, 0, 90), (60, 5, 0, 0, 0, 90)]
    ).T
)


def test_events_are_stretches_of_one_class_and_source():
    assert [tuple(event.values()) for event in events_of(ROWS)] == [
        (0, 1, 0, 3),
        (0, 1, 4, 2),
        (9, 2, 5, 2),
        (0, 3, 6, 1),
        (5, 0, 60, 1),
    ]


def test_labels_are_counted_in_every_kept_clip():
    kept = listed_candidates([(0, 0), (0, 10), (20, 0)])
    assert labelled_frames(ROWS, kept, 50) == {"speech": 12, "instrument": 4, "other": 1}


@pytest.fixture
def part(tmp_path):
    def write(name, fates):
        summary = PartSummary("digest", name, "dev-train-sony", "dev", {}, {}, ["a note"])
        candidates = listed_candidates([(0, 0), (0, 350), (20, 10)])
        path = tmp_path / "manifest" / f"{name}.parquet"
        write_part(path, summary, candidates, np.array(fates, np.uint8), ROWS, config_with())
        return path, summary

    return write


def test_a_part_tells_its_candidates_and_its_summary(part, tmp_path):
    path, summary = part("fold3_room4_mix001", [KEPT, CLIPPED, KEPT])
    assert read_summary(path) == summary
    rows = pq.read_table(path).to_pylist()
    assert [(r["start_frame"], r["yaw_deg"], r["fate"]) for r in rows] == [
        (0, 0, "kept"), (0, 350, "clipped"), (20, 10, "kept"),
    ]  # fmt: skip
    assert [r["clip"] for r in rows] == [
        "fold3_room4_mix001_deg000_start0000", None, "fold3_room4_mix001_deg010_start0020",
    ]  # fmt: skip
    assert rows[2]["events"] == [{"class": 5, "source": 0, "first_frame": 40, "n_frames": 1}]
    assert len(rows[0]["events"]) == len(rows[1]["events"]) == 4

    other, _ = part("fold3_room4_mix002", [3, 4, 5])
    join_parts([path, other], tmp_path / "all.parquet")
    both = pq.read_table(tmp_path / "all.parquet").to_pylist()
    assert both[:3] == rows
    assert [r["fate"] for r in both[3:]] == [FATES[3], FATES[4], FATES[5]]


def test_a_damaged_or_missing_part_is_no_part(part, tmp_path):
    path, _ = part("fold3_room4_mix001", [KEPT, KEPT, KEPT])
    path.write_bytes(path.read_bytes()[:-30])
    assert read_summary(path) is None
    assert read_summary(tmp_path / "nothing.parquet") is None
