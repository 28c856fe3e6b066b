import numpy as np
import pytest

from savg_ray.clips import Clip
from savg_ray.errors import ClipError
from savg_ray.protocols.clip_form import official, whole
from savg_ray.scenes.walker import walker_clip

GOOD = walker_clip("walker", 5)


def changed(frames=None, fps=4.0, waveform=None, rate_hz=16000):
    return Clip(
        "c", GOOD.frames if frames is None else frames, fps, GOOD.waveform if waveform is None else waveform, rate_hz
    )


def refusal(call, *args):
    with pytest.raises(ClipError) as caught:
        call(*args)
    return caught.value


def test_a_clip_in_form_is_left_alone():
    for form in (whole(GOOD), official(GOOD, "generated"), official(GOOD, "reference")):
        np.testing.assert_array_equal(form.frames, GOOD.frames)
        assert form.pcm_16k.shape == (2, 80000)
        assert abs(form.pcm_44k1.shape[1] - 220500) <= 40
        assert form.notes == ""


@pytest.mark.parametrize(
    ("clip", "note"),
    [
        (changed(frames=GOOD.frames[:, ::4, ::4]), "64x64 to 256x256"),
        (changed(frames=GOOD.frames[:, :101, :77]), "77x101 to 256x256"),
        (changed(frames=np.repeat(GOOD.frames, 8, 0)[:150], fps=30.0), "30 fps to 4 fps"),
        (changed(frames=GOOD.frames[:19]), "19 frames instead of 20"),
        (changed(frames=np.concatenate([GOOD.frames, GOOD.frames[:1]])), "21 frames instead of 20"),
        (changed(waveform=np.repeat(GOOD.waveform, 3, 1), rate_hz=48000), "48000 Hz to 16000 Hz"),
        (changed(waveform=np.zeros((2, 80000), np.float32)), "silent"),
    ],
)
def test_savg_adapts_and_says_so(clip, note):
    form = whole(clip)
    assert note in form.notes
    assert form.frames.shape[1:] == (256, 256, 3)
    assert form.fps == 4.0
    assert abs(form.pcm_16k.shape[1] - 80000) <= 1


def test_resampled_frames_are_those_on_screen_at_the_time():
    frames = np.repeat(np.arange(150, dtype=np.uint8), 256 * 256 * 3).reshape(150, 256, 256, 3)
    kept = whole(changed(frames=frames, fps=30.0)).frames[:, 0, 0, 0]
    assert kept.tolist() == [int(k * 7.5) for k in range(20)]


@pytest.mark.parametrize(
    ("clip", "reason"),
    [
        (changed(waveform=GOOD.waveform[:1]), "mono"),
        (changed(waveform=np.concatenate([GOOD.waveform, GOOD.waveform[:1]])), "channels"),
        (changed(fps=2.0), "fps_too_low"),
        (changed(frames=GOOD.frames[:8]), "too_few_frames"),
    ],
)
def test_savg_refuses_what_cannot_be_adapted(clip, reason):
    assert refusal(whole, clip).reason == reason


@pytest.mark.parametrize(
    "clip",
    [
        changed(frames=GOOD.frames[:19]),
        changed(frames=GOOD.frames[:, ::4, ::4]),
        changed(fps=5.0),
        changed(rate_hz=48000),
    ],
)
def test_the_official_protocol_refuses_what_the_official_scripts_would_misread(clip):
    error = refusal(official, clip, "generated")
    assert error.reason == "wrong_form"
    assert "20 frames of 256x256 at 4 fps with 16000 Hz" in error.message


def test_official_references_may_differ_but_need_a_window():
    form = official(changed(frames=np.repeat(GOOD.frames[:, ::4, ::4], 3, 0)[:50], fps=10.0), "reference")
    assert form.frames.shape == (50, 256, 256, 3)
    assert form.fps == 10.0
    assert refusal(official, changed(frames=GOOD.frames[:7]), "reference").reason == "too_short"
    assert refusal(official, changed(waveform=GOOD.waveform[:1]), "reference").reason == "mono"
