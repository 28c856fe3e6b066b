from itertools import combinations

from savg_ray.dataset.recordings import _NAME
from savg_ray.scenes.roster import ROOMS, recording_name


def test_names_are_those_of_starss23():
    names = [recording_name(i) for i in range(200)]
    assert all(_NAME.fullmatch(name.stem) for name in names)
    assert all(name.room in ROOMS[name.part] for name in names)
    assert all(name.stem.startswith("fold3" if "train" in name.part else "fold4") for name in names)
    assert len({name.stem for name in names}) == len(names)
    assert [name.stem for name in names[:3]] == ["fold3_room21_mix001", "fold4_room23_mix001", "fold3_room4_mix001"]


def test_mixes_of_a_room_are_counted_without_a_gap():
    names = [recording_name(i) for i in range(200)]
    for room in {name.room for name in names}:
        assert [name.mix for name in names if name.room == room] == list(
            range(1, 1 + sum(name.room == room for name in names))
        )


def test_no_room_is_in_two_parts():
    assert not any(set(ROOMS[a]) & set(ROOMS[b]) for a, b in combinations(ROOMS, 2))


def test_a_third_of_the_recordings_test_and_two_are_enough_for_one():
    parts = [recording_name(i).part for i in range(60)]
    assert sum("test" in part for part in parts) == 20
    assert any("test" in part for part in parts[:2])
    assert set(parts) == set(ROOMS)
