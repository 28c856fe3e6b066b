from random import Random

import numpy as np
import pytest

from savg_ray.media.reader import read_clip
from savg_ray.media.resample import pcm16
from savg_ray.protocols import official_windows as ow
from tests.samples import joint_sample
from tests.toys import golden_json, sha16, toy_video

LOADER = golden_json("d_loader.json")
EXTRA = golden_json("d_extra.json")


@pytest.mark.parametrize("case", EXTRA["clip_counts"], ids=lambda c: f"{c['n_frames']}f{c['fps']:g}fps")
def test_window_count_and_first_window(case):
    assert ow.window_count(case["n_frames"], case["fps"]) == case["n_clips"]
    if case["first"] is not None and case["fps"] <= 10:
        assert ow.source_frames(0, case["fps"]).tolist() == case["first"]


def test_a_30_fps_window_strides_over_three_frames():
    assert ow.source_frames(2, 30.0).tolist() == list(range(6, 66, 3))


def test_resampled_index_of_a_whole_clip():
    index = [int(ow.source_frames(k, 4.0)[0]) for k in range(31)] + ow.source_frames(30, 4.0)[1:].tolist()
    assert index == LOADER["frame_index_resampling_20f_4to10fps"]


@pytest.mark.parametrize("case", LOADER["orders"], ids=lambda c: f"{c['n_ref_clips']}-rank{c['rank']}of{c['world']}")
def test_order(case):
    rng = Random(ow.SEED)
    for n, first in ((case["n_fake_clips"], case["fake_first"]), (case["n_ref_clips"], case["ref_first"])):
        order = ow.shuffled(range(case["rank"], n, case["world"]), rng)
        assert order[: len(first)] == first


def test_batches_traverse_a_short_list_again_without_crossing_its_end():
    taken = ow.batches(list(range(11)), 20)
    assert taken == [list(range(8)), [8, 9, 10], list(range(8)), [8, 9, 10]]
    assert ow.batches([], 20) == []


def test_round_trip_lowers_the_dark_levels():
    assert ow.ROUND_TRIP.tolist() == LOADER["u8_roundtrip_lut"]


@pytest.mark.parametrize("case", EXTRA["process_video"], ids=lambda c: f"{c['H']}x{c['W']}")
def test_letterbox(case):
    out = ow.letterbox(toy_video(case["seed"], case["T"], case["H"], case["W"])).transpose(0, 3, 1, 2)
    assert list(out.shape) == case["out_shape"]
    difference = out[0, :, ::19, ::23].astype(int) - np.array(case["slice"])
    assert np.abs(difference).max() <= 1
    assert out.mean() == pytest.approx(case["mean"], abs=0.01)


@pytest.mark.parametrize("name", list(LOADER["videos"]))
def test_every_window_of_a_real_clip(name):
    golden = LOADER["videos"][name]
    clip = read_clip(joint_sample(name))
    pcm = pcm16(clip.waveform, clip.rate_hz, ow.AUDIO_RATE_HZ)
    for window in golden["clips"]:
        k = window["clip"]
        assert ow.source_frames(k, clip.fps).tolist() == window["src_frames"]
        video = ow.window_video(ow.letterbox(clip.frames), k, clip.fps)
        assert sha16(video.transpose(0, 3, 1, 2)) == window["u8_tchw_sha256_16"]
        assert sha16(ow.window_audio(pcm, k, clip.fps)) == window["audio_s16_sha256_16"]


def test_sound_beyond_the_end_is_silent():
    pcm = np.full((2, 44100 * 2), 7, np.int16)
    sound = ow.window_audio(pcm, 15, 10.0)
    assert (sound[:, :22050] == 7).all()
    assert not sound[:, 22050:].any()
