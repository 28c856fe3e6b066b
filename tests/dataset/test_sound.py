import numpy as np
import pytest
import soundfile

from savg_ray.dataset.sound import SOURCE_RATE_HZ, ViewableSound, finished, read_ambisonics, sound_length_s
from savg_ray.errors import ClipError
from savg_ray.spatial.ambisonics import encode_gains, level_difference_db, rotate_yaw, stereo
from tests.dataset.recordings import config_with

CONFIG = config_with().sound
NOISE = np.random.default_rng(0).uniform(-0.01, 0.01, (4, 5 * SOURCE_RATE_HZ))


@pytest.mark.parametrize("yaw_deg", [0, 10, 90, 170, 200, 350])
def test_one_preparation_for_all_yaws_equals_the_stated_order(yaw_deg):
    stated = finished(stereo(rotate_yaw(NOISE, yaw_deg)), CONFIG)
    ours = ViewableSound(NOISE, CONFIG)
    np.testing.assert_allclose(ours.stereo(yaw_deg), stated, atol=1e-6 * abs(stated).max(), rtol=0)
    assert ours.peak(yaw_deg) == pytest.approx(abs(stated).max(), rel=1e-6)


def test_a_clip_is_exactly_as_long_as_it_should_be():
    assert ViewableSound(NOISE, CONFIG).stereo(0).shape == (2, 80_000)
    sibling = config_with("dcase2025").sound
    np.testing.assert_allclose(ViewableSound(NOISE, sibling).stereo(0), stereo(NOISE), atol=1e-12)


@pytest.mark.parametrize("azimuth_deg", [-50, -20, 0, 10, 40])
def test_levels_of_left_and_right_follow_the_formula(azimuth_deg):
    noise = NOISE[0]
    sound = ViewableSound(encode_gains(azimuth_deg + 70, 12)[:, None] * noise, CONFIG)
    left, right = np.sqrt((sound.stereo(-70) ** 2).mean(axis=1))
    assert 20 * np.log10(left / right) == pytest.approx(level_difference_db(azimuth_deg, 12), abs=0.01)


def level_db(frequency_hz, **sound):
    tone = np.sin(2 * np.pi * frequency_hz * np.arange(5 * SOURCE_RATE_HZ) / SOURCE_RATE_HZ)
    out = finished(tone[None], config_with(sound=sound).sound)[0]
    middle = out[len(out) // 4 : -len(out) // 4]
    return 20 * np.log10(np.sqrt(2 * (middle**2).mean()))


def test_gain_and_high_pass():
    assert level_db(1000) == pytest.approx(38.0, abs=0.05)
    assert level_db(1000, gain_db=0) == pytest.approx(0.0, abs=0.05)
    assert level_db(100, gain_db=0) == pytest.approx(-3.01, abs=0.05)
    # Second order: 12 dB an octave.
    assert level_db(12.5, gain_db=0) - level_db(25, gain_db=0) == pytest.approx(-12, abs=0.2)
    assert level_db(12.5, gain_db=0, high_pass_hz=None) == pytest.approx(0.0, abs=0.05)
    # What 16 kHz cannot hold is not folded back.
    assert level_db(10_000, gain_db=0) < -50


def test_a_clip_does_not_hear_what_came_before_it():
    out = finished(np.zeros((1, 24_000)), CONFIG)
    assert not out.any()
    click = np.zeros((1, 24_000))
    click[0, 12_000] = 1
    assert abs(finished(click, CONFIG)[0, :7_900]).max() < 1e-3 * abs(finished(click, CONFIG)).max()


def write(path, waveform, rate_hz=SOURCE_RATE_HZ):
    soundfile.write(str(path), waveform.T, rate_hz, subtype="PCM_16")
    return path


def test_a_window_is_cut_at_its_sample(tmp_path):
    ramp = np.arange(24_000) / 32768
    path = write(tmp_path / "a.wav", np.stack([ramp, -ramp, 0 * ramp, ramp / 2]))
    assert sound_length_s(path) == 1.0
    cut = read_ambisonics(path, 0.3, 0.5)
    assert cut.shape == (4, 12_000)
    np.testing.assert_array_equal(cut[0] * 32768, np.arange(7_200, 19_200))
    np.testing.assert_array_equal(cut[1], -cut[0])


def test_sound_that_cannot_be_used_is_named(tmp_path):
    cases = {
        "2 channels, not the 4": write(tmp_path / "stereo.wav", NOISE[:2]),
        "48000 Hz, not 24000": write(tmp_path / "48k.wav", NOISE, 48_000),
        "cannot be read as sound": tmp_path / "text.wav",
        "cannot be read": tmp_path / "missing.wav",
    }
    (tmp_path / "text.wav").write_text("not sound")
    for said, path in cases.items():
        with pytest.raises(ClipError, match=said) as caught:
            sound_length_s(path)
        assert caught.value.reason == "bad_sound"
        assert str(path) in caught.value.message


def test_sound_that_ends_early_is_named(tmp_path):
    path = write(tmp_path / "short.wav", NOISE)
    with pytest.raises(ClipError, match=r"short.wav is damaged 4 s from its start"):
        read_ambisonics(path, 4.0, 5.0)
