"""Sound at another rate, through FFmpeg's resampler, bit for bit what the ffmpeg command line writes."""

import av
import numpy as np


def pcm16(waveform: np.ndarray, rate_hz: int, to_rate_hz: int) -> np.ndarray:
    """Resample stereo sound and round it to 16 bits.

    Args:
        waveform: float32 (2, L), nominal range [-1, 1]; louder samples are clipped.
        rate_hz: its sample rate.
        to_rate_hz: the wanted sample rate.

    Returns:
        int16 (2, L'), equal to ``ffmpeg -f s16le -ar to_rate_hz -ac 2`` on the same material.
    """
    resampler = av.AudioResampler(format="s16", layout="stereo", rate=to_rate_hz)
    frame = _frame(waveform)
    frame.sample_rate = rate_hz
    blocks = [out.to_ndarray() for out in (*resampler.resample(frame), *resampler.resample(None))]
    interleaved = np.concatenate(blocks, axis=1)
    return np.ascontiguousarray(interleaved.reshape(-1, 2).T)


def _frame(waveform: np.ndarray) -> av.AudioFrame:
    # FFmpeg resamples 16-bit material in 16 bits and everything else in float, so material that is exactly 16-bit
    # goes in as such.
    scaled = waveform * np.float32(32768.0)
    if np.array_equal(scaled, np.rint(scaled)) and scaled.min() >= -32768 and scaled.max() <= 32767:
        return av.AudioFrame.from_ndarray(
            np.ascontiguousarray(scaled.astype(np.int16)), format="s16p", layout="stereo"
        )
    return av.AudioFrame.from_ndarray(np.ascontiguousarray(waveform), format="fltp", layout="stereo")
