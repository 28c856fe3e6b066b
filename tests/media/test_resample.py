import numpy as np

from savg_ray.media.resample import pcm16


def tone(rate_hz, frequency_hz=440.0, seconds=0.5):
    time_s = np.arange(int(rate_hz * seconds)) / rate_hz
    mono = 0.5 * np.sin(2 * np.pi * frequency_hz * time_s)
    return np.stack([mono, -0.5 * mono]).astype(np.float32)


def test_sixteen_bit_material_at_its_own_rate_is_untouched():
    pcm = np.round(tone(16000) * 32768).astype(np.int16)
    np.testing.assert_array_equal(pcm16(pcm.astype(np.float32) / 32768, 16000, 16000), pcm)


def test_resampling_keeps_the_tone_and_the_channels():
    out = pcm16(tone(48000), 48000, 16000) / 32768.0
    assert abs(out.shape[1] - 8000) <= 1
    middle = slice(500, 7500)
    np.testing.assert_allclose(out[:, middle], tone(16000)[:, : out.shape[1]][:, middle], atol=2e-3)


def test_loud_samples_are_clipped_not_wrapped():
    out = pcm16(np.full((2, 1000), 1.7, np.float32), 16000, 16000)
    assert (out == 32767).all()
