import pytest

from savg_ray.dataset.recordings import find_recordings
from savg_ray.errors import UserError

SPLITS = {"dev": ("dev-train-sony", "dev-train-tau"), "eval": ("dev-test-sony",)}


def touch(root, part, name, suffixes=("wav", "mp4", "csv")):
    for folder, suffix in (("foa_dev", "wav"), ("video_dev", "mp4"), ("metadata_dev", "csv")):
        (root / folder / part).mkdir(parents=True, exist_ok=True)
        if suffix in suffixes:
            (root / folder / part / f"{name}.{suffix}").touch()


def test_recordings_come_with_their_split_and_problems_with_a_sentence(tmp_path):
    touch(tmp_path, "dev-train-tau", "fold3_room4_mix001")
    touch(tmp_path, "dev-train-sony", "fold3_room21_mix013")
    touch(tmp_path, "dev-train-sony", "fold3_room21_mix001", ("wav", "csv"))
    touch(tmp_path, "dev-train-sony", "fold3_room21_mix002", ("wav", "mp4"))
    touch(tmp_path, "dev-train-sony", "fold3_room21_mix003", ("mp4",))
    touch(tmp_path, "dev-train-sony", "holiday")
    touch(tmp_path, "dev-test-sony", "fold4_room23_mix001")
    touch(tmp_path, "elsewhere", "fold4_room99_mix001")
    found, problems = find_recordings(tmp_path, SPLITS)
    assert [(r.part, r.name, r.split, r.room) for r in found] == [
        ("dev-test-sony", "fold4_room23_mix001", "eval", 23),
        ("dev-train-sony", "fold3_room21_mix013", "dev", 21),
        ("dev-train-tau", "fold3_room4_mix001", "dev", 4),
    ]
    assert found[1].video == tmp_path / "video_dev" / "dev-train-sony" / "fold3_room21_mix013.mp4"
    assert [(p.recording, p.reason, p.skipped) for p in problems] == [
        ("fold3_room21_mix001", "no_video", True),
        ("fold3_room21_mix002", "no_labels", False),
        ("fold3_room21_mix003", "no_sound", False),
        ("holiday", "bad_name", False),
    ]
    for problem in problems:
        assert problem.recording in problem.message
        assert problem.message.endswith(".")


def test_a_name_in_two_parts_is_taken_from_neither(tmp_path):
    touch(tmp_path, "dev-train-sony", "fold3_room4_mix001")
    touch(tmp_path, "dev-train-tau", "fold3_room4_mix001")
    found, problems = find_recordings(tmp_path, SPLITS)
    assert (found, [p.reason for p in problems]) == ([], ["duplicate_name"])


def test_no_room_is_in_two_splits(tmp_path):
    touch(tmp_path, "dev-train-tau", "fold3_room4_mix001")
    touch(tmp_path, "dev-test-sony", "fold4_room4_mix002")
    with pytest.raises(UserError, match=r"Room 4 is in split eval .* and in split dev"):
        find_recordings(tmp_path, SPLITS)
    assert len(find_recordings(tmp_path, {"dev": ("dev-train-tau", "dev-test-sony")})[0]) == 2


def test_a_folder_without_recordings_ends_the_run(tmp_path):
    with pytest.raises(UserError, match="no folder foa_dev"):
        find_recordings(tmp_path, SPLITS)
    (tmp_path / "foa_dev").mkdir()
    with pytest.raises(UserError, match="holds no recordings"):
        find_recordings(tmp_path, SPLITS)
