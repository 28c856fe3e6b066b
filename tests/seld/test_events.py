from collections import defaultdict
from functools import cache

import numpy as np
import pytest

from savg_ray.errors import ClipError
from savg_ray.networks import seld
from savg_ray.seld import events
from savg_ray.seld.features import stereo_features
from savg_ray.weights.fill import fill_deterministic
from tests.seld.sounds import GOLDEN, golden_sound
from tests.toys import GOLDEN_METRICS, golden_npz, toy_audio

CSV = GOLDEN_METRICS / "seld_csv"


@pytest.fixture(scope="module")
def net():
    net = seld.SeldNet().eval()
    return fill_deterministic(net, seld.FILL_SALT, seld.FILL_GAIN, seld.fill_exceptions(net))


@pytest.fixture(scope="module")
def outputs(net):
    """Windows, logits and positions of a golden sound, computed once for the tests that look at them."""

    @cache
    def run(name):
        windows = events.window_starts(GOLDEN[name]["duration_s"], official=True)
        padded = events.loop_padded(stereo_features(golden_sound(name), center=False))
        return windows, *events.run_windows(net, events.cut_windows(padded, windows))

    return run


def joined(windows: np.ndarray) -> np.ndarray:
    return windows.transpose(1, 0, 2).reshape(2, -1)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_network_outputs(outputs, name):
    golden = golden_npz("seld.npz")
    _, logits, position = outputs(name)
    atol = 2e-2 if GOLDEN[name]["src"] == "mp4" else 1e-3
    np.testing.assert_allclose(joined(logits), golden[f"{name}__logit_cat"], atol=atol, rtol=0)
    np.testing.assert_allclose(joined(position), golden[f"{name}__logit_azi"], atol=atol, rtol=0)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_rows(outputs, name):
    windows, logits, position = outputs(name)
    rows = events.event_rows(logits, position, windows, int(GOLDEN[name]["duration_s"] * 10))
    assert rows.shape[1] == 3 and (np.diff(rows[:, 0]) >= 0).all()
    probability = (1 / (1 + np.exp(-logits.astype(float)))).reshape(len(windows), 2, 12, 10).mean(-1)
    near_threshold = {
        (window.csv_frame + k, label)
        for i, window in enumerate(windows)
        for k in range(12)
        for label in (0, 1)
        if abs(probability[i, label, k] - events.THRESHOLD) < 2e-3
    }
    golden = events.read_rows(CSV / f"{name}.csv")
    assert len(golden) == GOLDEN[name]["n_rows"]
    found, expected = by_frame_and_class(rows), by_frame_and_class(golden)
    for key in found.keys() | expected.keys():
        if len(found[key]) != len(expected[key]):
            assert key in near_threshold
        else:
            np.testing.assert_allclose(found[key], expected[key], atol=0.5, err_msg=str(key))


def by_frame_and_class(rows: np.ndarray) -> dict[tuple[int, int], list[float]]:
    groups = defaultdict(list)
    for frame, label, azimuth_px in sorted(rows.tolist()):
        groups[int(frame), int(label)].append(azimuth_px)
    return groups


def test_detect_events_runs_only_windows_that_can_yield_rows(net, outputs):
    name = "toy_4p8s"
    windows, logits, position = outputs(name)
    sound = golden_sound(name)
    n_csv_frames = int(GOLDEN[name]["duration_s"] * 10)
    clip = events.clip_windows(sound, official=True)
    assert (len(windows), len(clip.windows)) == (5, 4)
    assert clip.n_csv_frames == n_csv_frames
    assert clip.windows == [window for window in windows if window.csv_frame < n_csv_frames]
    expected = events.event_rows(logits, position, windows, n_csv_frames)
    found = events.detect_events(net, sound, official=True)
    np.testing.assert_allclose(found, expected, atol=0.05)


@pytest.mark.parametrize("name", GOLDEN)
def test_official_windows(name):
    golden = GOLDEN[name]
    windows = events.window_starts(golden["duration_s"], official=True)
    assert [window.start_frame for window in windows] == golden["start_frames"]
    assert [window.csv_frame for window in windows] == golden["csv_frames_start"]


@pytest.mark.parametrize("n_frames", [62, 119, 120, 125, 130, 438, 500, 1200, 2999])
def test_exact_windows_report_each_csv_frame_once(n_frames):
    windows = events.window_starts(n_frames / 100, official=False)
    assert all(window.start_frame == 10 * window.csv_frame for window in windows)
    frames = [window.csv_frame + k for window in windows for k in range(12)]
    n_csv_frames = n_frames // 10
    assert frames[:n_csv_frames] == list(range(n_csv_frames))
    assert len(frames) - n_csv_frames < 12


def test_official_windows_lose_and_repeat_csv_frames_late_in_long_clips():
    frames = [w.csv_frame + k for w in events.window_starts(12.0, official=True) for k in range(12)]
    assert frames.count(107) == 2 and 119 not in frames


@pytest.mark.parametrize(
    ("n_frames", "official", "fits"),
    [
        (61, True, False),
        (62, True, True),
        (119, True, True),
        (120, True, False),
        (121, True, False),
        (122, True, True),
        (1, False, False),
        (61, False, False),
        (62, False, True),
        (120, False, True),
        (121, False, True),
    ],
)
def test_durations_that_cannot_fill_a_window(n_frames, official, fits):
    sound = toy_audio(7, 2, 160 * n_frames, 16000)
    if fits:
        features = events.clip_windows(sound, official=official).features
        assert features.shape[1:] == (3, 257, 128)
        return
    with pytest.raises(ClipError) as error:
        events.clip_windows(sound, official=official)
    assert error.value.reason == "too_short"


def test_rows_follow_the_weighted_mean_and_the_strict_threshold():
    logits, position = np.full((1, 2, 120), -20.0), np.zeros((1, 2, 120))
    logits[0, 1, 30:32] = 20.0
    position[0, 1, 30], position[0, 1, 31] = 0.25, 0.75
    window = [events.Window(0, 0)]
    # Two of ten steps give a mean of 0.2 and a trifle; the row must go when one of them is a little below 1.
    rows = events.event_rows(logits, position, window, 12)
    np.testing.assert_allclose(rows, [[3, 1, 128]], atol=1e-4)
    logits[0, 1, 31] = 5.0
    assert len(events.event_rows(logits, position, window, 12)) == 0
    logits[0, 1, 32] = 20.0
    assert events.event_rows(logits, position, window, 12)[0, 0] == 3
    assert len(events.event_rows(logits, position, window, 3)) == 0


@pytest.mark.parametrize("name", GOLDEN)
def test_csv_is_byte_for_byte_the_official_one(tmp_path, name):
    rows = events.read_rows(CSV / f"{name}.csv")
    events.write_rows(tmp_path / "again.csv", rows)
    assert (tmp_path / "again.csv").read_bytes() == (CSV / f"{name}.csv").read_bytes()
    if GOLDEN[name]["n_rows"] >= 3:
        assert (CSV / f"{name}.csv").read_text().splitlines()[0] == GOLDEN[name]["first_rows"][0]


def test_no_rows_are_an_empty_file(tmp_path):
    path = tmp_path / "silent.csv"
    events.write_rows(path, np.empty((0, 3)))
    assert path.read_bytes() == b""
    assert events.read_rows(path).shape == (0, 3)


@pytest.mark.parametrize("text", ["1.0,0.0\n", "1.0,0.0,x\n", "1,0,nan\n", "0,0,1\n\n0,0,1\n", "0,0,1,2\n"])
def test_a_damaged_csv_is_named(tmp_path, text):
    path = tmp_path / "damaged.csv"
    path.write_text(text)
    with pytest.raises(ClipError, match=r"damaged\.csv line \d") as error:
        events.read_rows(path)
    assert error.value.reason == "bad_rows"


def test_a_missing_csv_is_named(tmp_path):
    with pytest.raises(ClipError, match=r"none\.csv"):
        events.read_rows(tmp_path / "none.csv")
