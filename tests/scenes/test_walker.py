import numpy as np

from savg_ray.scenes.walker import SIZE_PX, stereo_gains, walker_clip


def test_same_seed_same_clip():
    one, two, other = walker_clip("a", 3), walker_clip("b", 3), walker_clip("c", 4)
    np.testing.assert_array_equal(one.frames, two.frames)
    np.testing.assert_array_equal(one.waveform, two.waveform)
    assert not np.array_equal(one.waveform, other.waveform)


def test_form():
    clip = walker_clip("a", 3)
    assert clip.frames.shape == (20, 256, 256, 3)
    assert clip.waveform.shape == (2, 80000)
    assert (clip.fps, clip.rate_hz) == (4.0, 16000)
    assert 0.01 < np.abs(clip.waveform).max() < 1.0


def test_left_in_the_picture_is_louder_on_the_left():
    left, right = stereo_gains(np.array([0.0, SIZE_PX / 2, SIZE_PX]))
    assert left[0] > right[0]
    assert left[1] == right[1]
    np.testing.assert_allclose(left[0], 1 + np.sin(np.radians(50)))
    np.testing.assert_allclose(left, right[::-1])
