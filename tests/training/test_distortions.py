import numpy as np
import pytest

from savg_ray.scenes.walker import walker_clip
from savg_ray.training.distortions import PICTURE_DISTORTIONS, SOUND_DISTORTIONS, distorted

LEVELS = (0.125, 0.25, 0.5, 0.75, 1.0)


@pytest.fixture(scope="module")
def clip():
    return walker_clip("walker", 3)


def rng(seed=0):
    return np.random.Generator(np.random.PCG64(seed))


@pytest.mark.parametrize("kind", PICTURE_DISTORTIONS)
def test_pictures_keep_their_form_and_change_more_with_strength(clip, kind):
    changes = []
    for level in LEVELS:
        broken = PICTURE_DISTORTIONS[kind](clip.frames, level, rng())
        assert broken.shape == clip.frames.shape
        assert broken.dtype == np.uint8
        assert np.array_equal(broken, PICTURE_DISTORTIONS[kind](clip.frames, level, rng()))
        changes.append(np.abs(broken.astype(int) - clip.frames).mean())
    assert changes[0] > 0
    assert np.all(np.diff(changes) > 0), changes


@pytest.mark.parametrize("kind", SOUND_DISTORTIONS)
def test_sound_keeps_its_form_and_changes_more_with_strength(clip, kind):
    changes = []
    for level in LEVELS:
        broken = SOUND_DISTORTIONS[kind](clip.waveform, level, rng())
        assert broken.shape == clip.waveform.shape
        assert broken.dtype == np.float32
        changes.append(np.abs(broken - clip.waveform).mean())
    assert changes[0] > 0
    assert np.all(np.diff(changes) > 0), changes


def test_what_each_distortion_does(clip):
    frames, sound = clip.frames, clip.waveform
    shuffled = PICTURE_DISTORTIONS["shuffle"](frames, 1.0, rng())
    assert sorted(picture.tobytes() for picture in shuffled) == sorted(picture.tobytes() for picture in frames)
    frozen = PICTURE_DISTORTIONS["freeze"](frames, 1.0, rng())
    assert np.array_equal(frozen, np.repeat(frames[::5], 5, axis=0))
    still = np.repeat(frames[:1], len(frames), axis=0)
    warped = PICTURE_DISTORTIONS["warp"](still, 1.0, rng())
    assert np.array_equal(warped, np.repeat(warped[:1], len(frames), axis=0))
    noise = PICTURE_DISTORTIONS["noise"](np.full((4, 64, 64, 3), 128, np.uint8), 0.5, rng()).astype(float) - 128
    assert noise.std() == pytest.approx(np.sqrt(2 * 64), rel=0.02)

    mono = SOUND_DISTORTIONS["narrowing"](sound, 1.0, rng())
    np.testing.assert_allclose(mono[0], mono[1], atol=1e-7)
    noisy = SOUND_DISTORTIONS["noise"](sound, 1.0, rng()) - sound
    assert noisy.std() == pytest.approx(np.sqrt(np.mean(sound**2)), rel=0.02)
    muffled = np.abs(np.fft.rfft(SOUND_DISTORTIONS["low_pass"](noisy, 1.0, rng())[0])) ** 2
    assert muffled[: 5 * 400].sum() > 0.95 * muffled.sum()
    pieces = SOUND_DISTORTIONS["shuffle"](sound, 1.0, rng()).reshape(2, 40, 2000)
    assert sorted(piece.tobytes() for piece in pieces[0]) == sorted(p.tobytes() for p in sound[0].reshape(40, 2000))
    clipped = SOUND_DISTORTIONS["clipping"](sound, 0.5, rng())
    assert np.abs(clipped).max() < 0.6 * np.abs(sound).max()
    assert np.sqrt(np.mean(clipped**2)) == pytest.approx(np.sqrt(np.mean(sound**2)), rel=1e-4)


def test_silence_stays_finite():
    for distort in SOUND_DISTORTIONS.values():
        assert np.isfinite(distort(np.zeros((2, 80000), np.float32), 0.7, rng())).all()


def test_strength_zero_leaves_a_distortion_out(clip):
    untouched = np.zeros(len(PICTURE_DISTORTIONS))
    assert np.array_equal(distorted(clip.frames, PICTURE_DISTORTIONS, untouched, rng()), clip.frames)
    only_blur = untouched.copy()
    only_blur[list(PICTURE_DISTORTIONS).index("blur")] = 0.5
    expected = PICTURE_DISTORTIONS["blur"](clip.frames, 0.5, rng())
    assert np.array_equal(distorted(clip.frames, PICTURE_DISTORTIONS, only_blur, rng()), expected)
