import os

import pytest

from savg_ray.dataset.build import build_recording, count_label_frames
from savg_ray.dataset.plan import plan_dataset
from savg_ray.errors import ClipError, UserError
from tests.dataset.recordings import Scene, config_with, write_recording

TRAIN, TEST = "dev-train-sony", "dev-test-sony"


def never(recording):
    raise AssertionError("a grid needs no look into the recordings")


@pytest.fixture
def root(tmp_path):
    for part, name, seconds in ((TRAIN, "fold3_room21_mix001", 5), (TEST, "fold4_room23_mix001", 6)):
        write_recording(tmp_path / "starss", part, name, Scene(seconds, azimuth_deg=170, level=0.0001))
    return tmp_path / "starss"


# One start, two yaws.
FEW = config_with(
    windows={"grid": {"first_start_frame": 0, "step_frames": 50, "first_yaw_deg": 0, "yaw_step_deg": 180}}
)


def names(plan):
    return sorted(job.recording.name for job in plan.jobs)


def test_finished_recordings_are_subtracted_until_something_changes(root, tmp_path):
    out = tmp_path / "out"
    plan = plan_dataset(root, out, FEW, never)
    assert names(plan) == ["fold3_room21_mix001", "fold4_room23_mix001"]
    assert plan.jobs[0].recording.name == "fold4_room23_mix001", "the longest comes first"
    assert build_recording(plan.jobs[1]).n_kept == 1
    again = plan_dataset(root, out, FEW, never)
    assert (names(again), again.finished) == (["fold4_room23_mix001"], ["fold3_room21_mix001"])
    labels = plan.jobs[1].recording.labels
    os.utime(labels, ns=(0, labels.stat().st_mtime_ns + 1))
    assert names(plan_dataset(root, out, FEW, never)) == ["fold3_room21_mix001", "fold4_room23_mix001"]


def test_a_folder_belongs_to_one_configuration(root, tmp_path):
    out = tmp_path / "out"
    plan_dataset(root, out, FEW, never)
    plan_dataset(root, out, FEW.model_copy(update={"workers": 3}), never)
    other = config_with(windows=FEW.windows.model_dump(), sound={"high_pass_hz": 80})
    with pytest.raises(UserError, match=r"sound.high_pass_hz is 100.0 there and 80.0 now"):
        plan_dataset(root, out, other, never)
    (out / "dataset.json").write_text("{")
    with pytest.raises(UserError, match=r"dataset\.json is damaged"):
        plan_dataset(root, out, FEW, never)


def test_a_folder_of_something_else_is_not_written_into(root, tmp_path):
    with pytest.raises(UserError, match="already holds metadata_dev"):
        plan_dataset(root, root, FEW, never)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        plan_dataset(root, tmp_path / "file" / "out", FEW, never)


def test_draws_are_made_before_anything_is_built_and_skip_what_cannot_be_read(root, tmp_path):
    config = config_with("dcase2025", windows={"random": {"n_clips": 40, "seed": 7}})
    plan = plan_dataset(root, tmp_path / "a", config, count_label_frames)
    drawn = {job.recording.name: job.draws for job in plan.jobs}
    assert sum(map(len, drawn.values())) == 40
    assert {start for start, _ in drawn["fold3_room21_mix001"]} == {0}
    assert {start for start, _ in drawn["fold4_room23_mix001"]} <= set(range(11))

    def count(recording):
        if recording.room == 21:
            raise ClipError("bad_sound", "It is broken.")
        return 60

    plan = plan_dataset(root, tmp_path / "b", config, count)
    assert [(p.recording, p.reason) for p in plan.problems] == [("fold3_room21_mix001", "bad_sound")]
    assert [len(job.draws) for job in plan.jobs] == [40]
