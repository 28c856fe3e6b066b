from collections import Counter

import numpy as np
import pytest

from savg_ray.dataset.annotations import Annotations
from savg_ray.dataset.config import load_dataset_config
from savg_ray.dataset.rules import FATES, label_fates, relevant_rows
from savg_ray.dataset.windows import grid_candidates
from savg_ray.spatial.perspective import View
from savg_ray.spatial.screen import screen_position
from tests.dataset.recordings import config_with

GRID = load_dataset_config("savgbench").windows.grid
ALL_YAWS = 36


def on_screen(azimuth_deg, elevation_deg):
    return screen_position(azimuth_deg, elevation_deg, View())[0]


def annotations(rows):
    columns = np.array(sorted(rows), np.int64).reshape(-1, 6).T
    return Annotations(*columns)


def fates_of(rows, n_frames, **rules):
    config = config_with(rules=rules).rules
    candidates = grid_candidates(n_frames, 50, GRID)
    fates = label_fates(relevant_rows(annotations(rows), config), candidates, 50, config, on_screen)
    return candidates, fates


def counts(rows, n_frames=50, **rules):
    return {FATES[fate]: n for fate, n in Counter(fates_of(rows, n_frames, **rules)[1].tolist()).items()}


def speech(frames, azimuth=0, label=0):
    return [(frame, label, 1, azimuth, 0, 100) for frame in frames]


# A source at 0 degrees is inside the picture at these yaws: the picture shows azimuths -50..51.
INSIDE = sum(bool(on_screen(np.array(yaw), np.array(0))) for yaw in range(0, 360, 10))
OUTSIDE = ALL_YAWS - INSIDE
ALWAYS = speech(range(50))


def test_how_many_yaws_see_a_source_in_front():
    assert INSIDE == 11


@pytest.mark.parametrize(
    ("rows", "rules", "expected"),
    [
        (ALWAYS, {}, {"kept": INSIDE, "off_screen": OUTSIDE}),
        (ALWAYS, {"on_screen": False}, {"kept": ALL_YAWS}),
        # A footstep, where it would be seen and elsewhere.
        ([*ALWAYS, (7, 6, 0, 0, 0, 90)], {}, {"other_class": ALL_YAWS}),
        ([*ALWAYS, (7, 6, 0, 0, 0, 90)], {"other_classes": "ignore"}, {"kept": INSIDE, "off_screen": OUTSIDE}),
        ([*ALWAYS, (7, 6, 0, 0, 0, 90)], {"classes": None}, {"off_screen": OUTSIDE, "overlap": INSIDE}),
        ([*ALWAYS, (7, 6, 0, 180, 0, 90)], {"classes": None}, {"off_screen": ALL_YAWS}),
        (ALWAYS, {"classes": (9,)}, {"other_class": ALL_YAWS}),
        # Two at once: of two classes, of the same class.
        ([*ALWAYS, (49, 9, 2, 0, 0, 90)], {}, {"off_screen": OUTSIDE, "overlap": INSIDE}),
        ([*ALWAYS, (0, 0, 2, 0, 0, 90)], {}, {"off_screen": OUTSIDE, "overlap": INSIDE}),
        ([*ALWAYS, (0, 0, 2, 0, 0, 90)], {"no_overlap": False}, {"off_screen": OUTSIDE, "kept": INSIDE}),
        # 40 active frames are enough, 39 are not; two labels in one frame count once.
        (speech(range(10, 50)), {}, {"kept": INSIDE, "off_screen": OUTSIDE}),
        (speech(range(11, 50)), {}, {"inactive": INSIDE, "off_screen": OUTSIDE}),
        (speech(range(11, 50)), {"min_active_frames": 39}, {"kept": INSIDE, "off_screen": OUTSIDE}),
        (speech(range(11, 50)) * 2, {"no_overlap": False}, {"inactive": INSIDE, "off_screen": OUTSIDE}),
        ([], {}, {"inactive": ALL_YAWS}),
        ([], {"min_active_frames": 0}, {"kept": ALL_YAWS}),
        # One frame outside is enough: a source that jumps from 0 to 60 degrees.
        (speech(range(49)) + speech([49], 60), {}, {"kept": INSIDE - 6, "off_screen": OUTSIDE + 6}),
        # Above the picture.
        ([(frame, 0, 1, 0, 40, 100) for frame in range(50)], {}, {"off_screen": ALL_YAWS}),
    ],
)
def test_every_rule_and_every_option(rows, rules, expected):
    assert counts(rows, **rules) == expected


def test_only_the_rows_of_the_window_count():
    footstep = [(55, 6, 0, 0, 0, 90)]
    candidates, fates = fates_of(speech(range(70)) + footstep, 70, on_screen=False)
    by_start = {start: {FATES[f] for f in fates[candidates.start_frame == start]} for start in (0, 5, 10, 15, 20)}
    assert by_start == {0: {"kept"}, 5: {"kept"}, **{start: {"other_class"} for start in (10, 15, 20)}}
    # A label beyond the common part of sound and video is nobody's business.
    assert counts([*ALWAYS, (51, 6, 0, 0, 0, 90)]) == {"kept": INSIDE, "off_screen": OUTSIDE}


def naive_fate(rows, start, yaw, rules):
    """The rules again, one window at a time, straight from the rows."""
    window = [row for row in rows if start <= row[0] < start + 50]
    if rules.other_classes == "ignore":
        window = [row for row in window if row[1] in rules.classes]
    if any(row[1] not in rules.classes for row in window):
        return "other_class"
    if not all(on_screen(np.array((row[3] + yaw + 180) % 360 - 180), np.array(row[4])) for row in window):
        return "off_screen"
    frames = [row[0] for row in window]
    if len(frames) != len(set(frames)):
        return "overlap"
    return "kept" if len(set(frames)) >= rules.min_active_frames else "inactive"


@pytest.mark.parametrize("other_classes", ["drop", "ignore"])
def test_all_windows_at_once_agree_with_one_at_a_time(other_classes):
    rng = np.random.default_rng(5)
    rows, azimuth = [], 170
    for frame in range(400):
        azimuth = (azimuth + int(rng.integers(-2, 3)) + 180) % 360 - 180
        if rng.random() < (0.95 if frame < 200 else 0.78):
            rows.append((frame, int(rng.choice([0, 1, 9])), 1, azimuth, int(rng.integers(-5, 30)), 100))
        if rng.random() < 0.004:
            rows.append((frame, 6, 0, azimuth, 0, 100))
        if rng.random() < 0.004:
            rows.append((frame, 0, 2, azimuth, 0, 100))
    rules = config_with(rules={"other_classes": other_classes}).rules
    candidates, fates = fates_of(rows, 400, other_classes=other_classes)
    seen = Counter()
    for start, yaw, fate in zip(candidates.start_frame, candidates.yaw_deg, fates, strict=True):
        assert FATES[fate] == naive_fate(rows, start, yaw, rules)
        seen[FATES[fate]] += 1
    assert {"kept", "off_screen", "inactive"} <= set(seen)
    assert ("other_class" in seen) == (other_classes == "drop")
