"""Spectrogram features of stereo sound: two amplitudes and the phase between them."""

import numpy as np

from savg_ray.errors import ClipError
from savg_ray.media.ready_librosa import ready_librosa

RATE_HZ = 16000
HOP = 160
FRAMES_PER_S = RATE_HZ // HOP

_N_FFT = 512
# Frame k of the uncentred transform then ends exactly at sample (k + 1) * 160.
_LEAD = _N_FFT - HOP


def stereo_features(waveform: np.ndarray, *, center: bool) -> np.ndarray:
    """Amplitudes |L|, |R| and phase difference of a stereo waveform, 100 frames a second.

    Args:
        waveform: float (2, L) in [-1, 1] at 16 kHz, array or CPU tensor.
        center: False for inference: 352 zeros in front and frames that reach back, T = L // 160. True for training:
            frames centred on multiples of 160 with zeros beyond the ends, T = L // 160 + 1. The two differ by 96
            samples, as in the official training and inference.

    Returns:
        float32 (3, 257, T): linear amplitudes (periodic Hann 512, not normalised) and angle(R) - angle(L) in
        [0, 2 pi).

    Raises:
        ClipError: ``not_stereo`` for another number of channels, ``too_short`` for less than one frame.
    """
    waveform = np.asarray(waveform, dtype=np.float32)
    if waveform.ndim != 2 or waveform.shape[0] != 2:
        raise ClipError(
            "not_stereo", f"SELD needs two sound channels, got an array of shape {waveform.shape}; write stereo sound"
        )
    if waveform.shape[1] < HOP:
        raise ClipError("too_short", f"SELD needs at least {HOP} samples at 16 kHz, got {waveform.shape[1]}")
    if not center:
        waveform = np.pad(waveform, ((0, 0), (_LEAD, 0)))
    spectrum = ready_librosa().stft(waveform, n_fft=_N_FFT, hop_length=HOP, center=center)
    phase = np.angle(spectrum[1]) - np.angle(spectrum[0])
    phase[phase < 0] += np.float32(2 * np.pi)
    return np.concatenate([np.abs(spectrum), phase[None]])
