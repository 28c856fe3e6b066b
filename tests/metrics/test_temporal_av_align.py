from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from savg_ray.errors import ClipError, UserError
from savg_ray.metrics import temporal_av_align
from savg_ray.metrics.temporal_av_align import (
    TemporalAvAlign,
    _mean_magnitude,
    audio_onsets,
    flow_trajectory,
    peak_iou,
    video_peaks,
)
from tests.toys import golden_json, toy_audio, toy_video

GOLDEN = golden_json("temporal.json")
CLIPS = Path(__file__).parents[2] / ".." / "shared" / "clips" / "savgbench_joint_baseline"
RATE_HZ = 16000


def toy_clip(seed, entry):
    n, fps = entry["n_frames"], entry["fps"]
    frames = toy_video(seed, n, 128, 128)
    waveform = toy_audio(seed, 2, int(RATE_HZ * n / fps), RATE_HZ).astype(np.float32)
    if "silent True" in entry["src"]:
        waveform = np.zeros_like(waveform)
    if "static True" in entry["src"]:
        frames = np.repeat(frames[:1], n, axis=0)
    return frames, waveform


def sample_clip(name):
    import av
    import decord

    path = CLIPS / f"{name}.mp4"
    if not path.exists():
        pytest.skip("the sample clips (../shared/clips/savgbench_joint_baseline) are not beside the repository")
    reader = decord.VideoReader(str(path))
    frames, fps = reader.get_batch(range(len(reader))).asnumpy(), reader.get_avg_fps()
    resampler = av.AudioResampler(format="s16", layout="stereo", rate=RATE_HZ)
    with av.open(str(path)) as container:
        blocks = [block for frame in container.decode(audio=0) for block in resampler.resample(frame)]
    blocks += resampler.resample(None)
    samples = np.concatenate([block.to_ndarray().reshape(-1, 2) for block in blocks]).T
    return frames, fps, samples.astype(np.float32) / 32768


def check(frames, fps, waveform, entry):
    trajectory = flow_trajectory(frames)
    np.testing.assert_allclose(trajectory, entry["flow"], rtol=1e-6)
    np.testing.assert_array_equal(video_peaks(trajectory, fps), entry["video_peaks"])
    np.testing.assert_array_equal(audio_onsets(waveform, RATE_HZ), entry["audio_peaks"])
    score = temporal_av_align(frames, fps, waveform, RATE_HZ)
    assert score == (None if entry["score"] is None else pytest.approx(entry["score"], abs=1e-9))


@pytest.mark.parametrize("seed", GOLDEN["toys"])
def test_golden_toys(seed):
    entry = GOLDEN["toys"][seed]
    frames, waveform = toy_clip(int(seed), entry)
    check(frames, entry["fps"], waveform, entry)


@pytest.mark.parametrize("name", GOLDEN["files"])
def test_golden_sample_clips(name):
    entry = GOLDEN["files"][name]
    frames, fps, waveform = sample_clip(name)
    assert fps == entry["fps"]
    check(frames, fps, waveform, entry)
    assert 0 < temporal_av_align(frames, fps, waveform, RATE_HZ, one_to_one=True) <= 1


@pytest.mark.parametrize("name", GOLDEN["cuts"])
def test_golden_cuts_from_their_stored_flow_and_onsets(name):
    entry = GOLDEN["cuts"][name]
    peaks = video_peaks(entry["flow"], entry["fps"])
    np.testing.assert_array_equal(peaks, entry["video_peaks"])
    assert peak_iou(entry["audio_peaks"], peaks, entry["fps"]) == pytest.approx(entry["score"], abs=1e-9)


@pytest.mark.parametrize("case", GOLDEN["iou_cases"])
def test_golden_overlap(case):
    score = peak_iou(case["audio"], case["video"], case["fps"])
    assert score == (None if case["score"] == "ZeroDivisionError" else pytest.approx(case["score"], abs=1e-9))


@pytest.mark.parametrize("case", GOLDEN["local_max_cases"])
def test_golden_local_maxima(case):
    np.testing.assert_allclose(video_peaks(case["arr"], case["fps"]), case["times"], rtol=1e-12)


def test_one_to_one_keeps_the_score_at_most_one():
    assert peak_iou([0.3, 0.4, 0.5, 0.6], [0.5], 4) == 4.0
    assert peak_iou([0.3, 0.4, 0.5, 0.6], [0.5], 4, one_to_one=True) == 0.25
    assert peak_iou([0.5, 1.0], [0.5, 1.0], 4, one_to_one=True) == 1.0
    assert peak_iou([], [], 4, one_to_one=True) is None
    # The first onset is closest to the second peak, but must take the first one for both pairs to exist.
    assert peak_iou([1.0, 1.2], [0.8, 1.05], 4, one_to_one=True) == 1.0


def test_one_to_one_is_the_largest_matching():
    rng = np.random.Generator(np.random.PCG64(1))
    shared_peaks = 0
    for _ in range(200):
        audio, video = (np.sort(rng.random(rng.integers(1, 15)) * 3) for _ in range(2))
        near = np.abs(audio[:, None] - video) < 0.25
        pairs = int((maximum_bipartite_matching(csr_matrix(near)) >= 0).sum())
        expected = pairs / (len(audio) + len(video) - pairs)
        assert peak_iou(audio, video, 4, one_to_one=True) == pytest.approx(expected)
        shared_peaks += pairs < near.any(axis=1).sum()
    assert shared_peaks > 20


def test_clicks_are_heard_when_they_happen():
    waveform = np.zeros((2, 3 * RATE_HZ), np.float32)
    for start in (0.8, 1.5, 2.2):
        at = int(start * RATE_HZ)
        waveform[:, at : at + 800] = 0.5 * np.sin(np.arange(800))
    onsets = audio_onsets(waveform, RATE_HZ)
    assert len(onsets) == 3
    np.testing.assert_allclose(onsets, [0.8, 1.5, 2.2], atol=0.06)


def test_a_jump_is_seen_when_it_happens():
    steps_px = np.array([1, 1, 2, 3, 5, 4, 2, 1])
    noise = np.random.Generator(np.random.PCG64(2)).random((96, 160))
    smooth = np.fft.ifft2(np.fft.fft2(noise) * (np.hypot(*np.meshgrid(*map(np.fft.fftfreq, (160, 96)))) < 0.08)).real
    gray = (255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)
    texture = np.repeat(gray[:, :, None], 3, axis=2)
    frames = np.stack([np.roll(texture, s, axis=1) for s in np.cumsum(steps_px)])
    trajectory = flow_trajectory(frames)
    np.testing.assert_allclose(trajectory, steps_px, rtol=0.2)
    np.testing.assert_array_equal(video_peaks(trajectory, 4.0), [1.0])


def test_infinite_flow_pixels_do_not_make_a_peak():
    flow = np.full((4, 5, 2), 3.0, np.float32)
    flow[..., 1] = 4.0
    assert _mean_magnitude(flow) == 5.0
    flow[0, :2] = np.inf
    flow[1, 1, 0] = np.nan
    assert _mean_magnitude(flow) == 5.0
    with pytest.raises(ClipError) as caught:
        _mean_magnitude(np.full_like(flow, np.nan))
    assert caught.value.reason == "flow_not_finite"


@pytest.mark.parametrize(
    ("frames", "fps", "waveform", "reason"),
    [
        (np.zeros((1, 8, 8, 3), np.uint8), 4, np.zeros((2, 9), np.float32), "bad_frames"),
        (np.zeros((4, 8, 8, 3), np.float32), 4, np.zeros((2, 9), np.float32), "bad_frames"),
        (np.zeros((4, 8, 8), np.uint8), 4, np.zeros((2, 9), np.float32), "bad_frames"),
        (np.zeros((4, 8, 8, 3), np.uint8), 0, np.zeros((2, 9), np.float32), "bad_fps"),
        (np.zeros((4, 8, 8, 3), np.uint8), float("nan"), np.zeros((2, 9), np.float32), "bad_fps"),
        (np.zeros((4, 64, 64, 3), np.uint8), 4, np.zeros((2, 0), np.float32), "no_audio"),
        (np.zeros((4, 64, 64, 3), np.uint8), 4, np.zeros((2, 9), np.int16), "bad_waveform"),
        (np.zeros((4, 64, 64, 3), np.uint8), 4, np.zeros(9, np.float32), "bad_waveform"),
        (np.zeros((4, 64, 64, 3), np.uint8), 4, np.full((2, 9), np.nan, np.float32), "bad_waveform"),
    ],
)
def test_unusable_clips_are_named(frames, fps, waveform, reason):
    with pytest.raises(ClipError) as caught:
        temporal_av_align(frames, fps, waveform, RATE_HZ)
    assert caught.value.reason == reason


def test_state_averages_the_clips_that_have_a_score():
    metric = TemporalAvAlign()
    assert metric.compute().value is None
    for clip_id, score in {"a": 0.5, "b": None, "c": 1.1, "d": 0.0}.items():
        metric.update(clip_id, score)
    result = metric.compute()
    assert result.value == pytest.approx(1.6 / 3)
    assert (result.n, result.extras["n_undefined"]) == (3, 1)
    low, high = result.ci95
    assert 0 <= low < result.value < high <= 1.1
    assert metric.compute(ci=False).ci95 is None
    with pytest.raises(UserError, match="'e'"):
        metric.update("e", float("nan"))


def test_state_of_undefined_clips_has_a_reason():
    metric = TemporalAvAlign()
    metric.update("a", None)
    result = metric.compute()
    assert result.value is None
    assert "1 clips" in result.reason
