import numpy as np
import pytest

from savg_ray.spatial.ambisonics import encode_gains, stereo
from savg_ray.spatial.panning import mid_and_pan, panned

RATE_HZ = 16000
N_FRAMES = 20


def bursts(seed=0, seconds=5):
    rng = np.random.default_rng(seed)
    loud = np.repeat(rng.uniform(0, 1, 20 * seconds) > 0.5, RATE_HZ // 20)
    return 0.1 * rng.standard_normal(len(loud)) * loud


@pytest.mark.parametrize(("azimuth_deg", "elevation_deg"), [(40, 0), (0, 10), (-25, -20), (89, 0)])
def test_the_pan_of_a_source_is_its_direction_and_it_comes_back(azimuth_deg, elevation_deg):
    heard = stereo(np.outer(encode_gains(azimuth_deg, elevation_deg), bursts()))
    mid, pan = mid_and_pan(heard, RATE_HZ, N_FRAMES)
    expected = np.sin(np.radians(azimuth_deg)) * np.cos(np.radians(elevation_deg))
    assert mid.dtype == pan.dtype == np.float32
    np.testing.assert_allclose(pan, np.full(N_FRAMES, expected), atol=1e-3)
    np.testing.assert_allclose(panned(mid, pan), heard, atol=1e-3 * np.abs(heard).max())


def test_the_pan_follows_a_source_that_walks_by():
    azimuth_deg = np.linspace(50, -50, 5 * RATE_HZ)
    heard = stereo(encode_gains(azimuth_deg, 0) * bursts())
    _, pan = mid_and_pan(heard, RATE_HZ, N_FRAMES)
    middles_deg = azimuth_deg.reshape(N_FRAMES, -1).mean(axis=1)
    np.testing.assert_allclose(pan[4:-4], np.sin(np.radians(middles_deg))[4:-4], atol=0.06)


def test_a_sound_moves_from_middle_to_middle_of_the_frames():
    left, right = panned(np.ones(8), np.array([0.5, -0.5]))
    np.testing.assert_allclose((left - right) / 2, [0.5, 0.5, 0.375, 0.125, -0.125, -0.375, -0.5, -0.5])


def test_silence_lies_in_the_middle_and_no_pan_goes_beyond_the_sides():
    _, pan = mid_and_pan(np.zeros((2, 1000)), RATE_HZ, 4)
    assert not pan.any()
    _, pan = mid_and_pan(np.stack([bursts(), -0.9 * bursts()]), RATE_HZ, N_FRAMES)
    assert np.abs(pan).max() <= 1


@pytest.mark.parametrize(("n_samples", "rate_hz"), [(16001, 16000), (100, 16000), (4410, 44100)])
def test_any_length_and_rate(n_samples, rate_hz):
    heard = np.outer([0.75, 0.25], np.random.default_rng(0).uniform(-1, 1, n_samples))
    mid, pan = mid_and_pan(heard, rate_hz, 3)
    np.testing.assert_allclose(pan, 0.5, atol=1e-4)
    np.testing.assert_allclose(panned(mid, pan), heard, atol=1e-4)
