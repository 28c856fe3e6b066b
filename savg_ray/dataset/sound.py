"""The sound of a clip: first-order ambisonics in, stereo at the clip's rate out.

The stated order is: cut, rotate, stereo, resample, high-pass, gain, clip test. All steps but the last are linear and
rotation about the vertical axis mixes X and Y only, so that W, Y and X of a window are resampled, filtered and
amplified once, and every yaw is a sum of the three (facts: ``Y' = sin(yaw) X + cos(yaw) Y``, ``L, R = W ± Y'``).
"""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile
from scipy import signal

from savg_ray.dataset.config import SoundConfig
from savg_ray.errors import ClipError

SOURCE_RATE_HZ = 24_000
_FILTER_ORDER = 2
_W, _Y, _X = 0, 1, 3


def sound_length_s(path: Path) -> float:
    """Length of a recording's sound, after a look at its header.

    Raises:
        ClipError: ``bad_sound`` unless it is a readable file of four channels at 24 kHz.
    """
    try:
        header = soundfile.info(str(path))
    except (soundfile.SoundFileError, OSError) as error:
        raise ClipError("bad_sound", f"{path} cannot be read as sound ({_cause(error)}); write it again.") from error
    if header.channels != 4:
        raise ClipError(
            "bad_sound", f"{path} has {header.channels} channels, not the 4 of first-order ambisonics; use foa_dev."
        )
    if header.samplerate != SOURCE_RATE_HZ:
        raise ClipError(
            "bad_sound", f"{path} is at {header.samplerate} Hz, not {SOURCE_RATE_HZ}; take the file of STARSS23."
        )
    return header.frames / header.samplerate


def read_ambisonics(path: Path, start_s: float, length_s: float) -> np.ndarray:
    """float64 (4, length), channels W, Y, Z, X, nominal range [-1, 1].

    Raises:
        ClipError: ``bad_sound`` when the file ends early or cannot be decoded.
    """
    n_samples = round(length_s * SOURCE_RATE_HZ)
    try:
        with soundfile.SoundFile(str(path)) as file:
            file.seek(round(start_s * SOURCE_RATE_HZ))
            samples = file.read(n_samples, dtype="float64", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        raise ClipError("bad_sound", f"{path} cannot be decoded ({_cause(error)}); write it again.") from error
    if len(samples) < n_samples or not np.isfinite(samples).all():
        raise ClipError("bad_sound", f"{path} is damaged {start_s:g} s from its start; write it again.")
    return np.ascontiguousarray(samples.T)


class ViewableSound:
    """One window of sound, ready to be heard in any direction.

    Args:
        ambisonics: float (4, length) at 24 kHz, channels W, Y, Z, X; the window and nothing around it, so that a
            clip does not depend on its neighbours.
        config: rate, filter and gain.
    """

    def __init__(self, ambisonics: np.ndarray, config: SoundConfig) -> None:
        n_samples = round(ambisonics.shape[1] * config.rate_hz / SOURCE_RATE_HZ)
        channels = finished(ambisonics[[_W, _Y, _X]], config)
        self._w, self._y, self._x = channels[:, :n_samples]

    def stereo(self, yaw_deg: float) -> np.ndarray:
        """float64 (2, length), left and right, looking ``yaw_deg`` to the right."""
        yaw = math.radians(yaw_deg)
        side = math.sin(yaw) * self._x + math.cos(yaw) * self._y
        return np.stack([self._w + side, self._w - side])

    def peak(self, yaw_deg: float) -> float:
        """Largest magnitude of a sample of `stereo`."""
        # max(|w + s|, |w - s|) = |w| + |s|
        yaw = math.radians(yaw_deg)
        side = math.sin(yaw) * self._x + math.cos(yaw) * self._y
        return float((np.abs(self._w) + np.abs(side)).max(initial=0.0))


def finished(waveform: np.ndarray, config: SoundConfig) -> np.ndarray:
    """Resampled (polyphase, SciPy's Kaiser window), high-passed (causal Butterworth of 2nd order) and amplified.

    Args:
        waveform: float (C, L) at 24 kHz.
        config: rate, filter and gain.
    """
    ratio = Fraction(config.rate_hz, SOURCE_RATE_HZ)
    if ratio != 1:
        waveform = signal.resample_poly(waveform, ratio.numerator, ratio.denominator, axis=1)
    if config.high_pass_hz is not None:
        sections = signal.butter(_FILTER_ORDER, config.high_pass_hz, "highpass", fs=config.rate_hz, output="sos")
        waveform = signal.sosfilt(sections, waveform, axis=1)
    return waveform * 10 ** (config.gain_db / 20)


def _cause(error: Exception) -> str:
    return str(error).rsplit(": ", 1)[-1].strip().rstrip(".")
