"""Ways to break clips, each with a strength from 0 (untouched) to 1: what feature networks learn to tell."""

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from scipy.signal import butter, sosfilt

Distortion = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
"""A clip's pictures or sound, a strength and random numbers, to the broken clip of the same form."""

_BLUR_PX = (0.7, 8.0)
_NOISE_GREY = (2.0, 64.0)
_WARP_PX = (1.0, 12.0)
_LONGEST_FREEZE = 5
_WARP_GRID = 6

_SNR_DB = (30.0, 0.0)
_CUTOFF_HZ = (6000.0, 300.0)
_CLIPPED_PEAK = (0.5, 0.03)
_PIECE_S = 0.125
# Below this everything is silence, and no level can be told.
_SILENCE = 1e-6


def blur(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian blur of uint8 pictures (T, H, W, 3), up to 8 px."""
    sigma_px = _between(_BLUR_PX, strength)
    return np.stack([cv2.GaussianBlur(frame, (0, 0), sigma_px) for frame in frames])


def picture_noise(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise, of each pixel and picture its own, up to 64 grey levels."""
    noise = rng.standard_normal(frames.shape, np.float32) * np.float32(_between(_NOISE_GREY, strength))
    return np.rint(frames + noise).clip(0, 255).astype(np.uint8)


def picture_shuffle(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Pictures change places, so that a share of neighbours, all at strength 1, is torn apart."""
    return frames[_partly_shuffled(len(frames), strength, rng)]


def freeze(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Every picture is held for up to 5, on the average: motion becomes a row of jerks."""
    held = 1 + strength * (_LONGEST_FREEZE - 1)
    steps = np.floor(np.arange(len(frames)) / held)
    return frames[np.ceil(steps * held - 1e-6).astype(np.int64).clip(0, len(frames) - 1)]


def warp(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Smooth shifts of neighbouring parts against each other, up to 12 px deviation.

    They stay the same from picture to picture: what trembles would be a fault of motion instead of shape.
    """
    height, width = frames.shape[1:3]
    rows, columns = np.indices((height, width), np.float32)
    shift_px = np.float32(_between(_WARP_PX, strength))
    coarse = rng.standard_normal((2, _WARP_GRID, _WARP_GRID)).astype(np.float32) * shift_px
    down, aside = (cv2.resize(one, (width, height), interpolation=cv2.INTER_CUBIC) for one in coarse)
    places = columns + aside, rows + down
    return np.stack([cv2.remap(frame, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT) for frame in frames])


def sound_noise(waveform: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """White noise in each channel of float32 sound (2, L) at 16 kHz, down to as loud as the sound."""
    level = max(_rms(waveform), _SILENCE) * 10 ** (-_linear(_SNR_DB, strength) / 20)
    return waveform + rng.standard_normal(waveform.shape, np.float32) * np.float32(level)


def low_pass(waveform: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Butterworth low-pass of fourth order, down to 300 Hz."""
    filters = butter(4, _between(_CUTOFF_HZ, strength), fs=16000, output="sos")
    return sosfilt(filters, waveform, axis=1).astype(np.float32)


def clipping(waveform: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Peaks cut off, down to 3 % of the largest, the loudness kept."""
    limit = max(float(np.abs(waveform).max()), _SILENCE) * _between(_CLIPPED_PEAK, strength)
    clipped = waveform.clip(-limit, limit)
    return clipped * np.float32(_rms(waveform) / max(_rms(clipped), _SILENCE))


def sound_shuffle(waveform: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Eighths of a second change places as pictures do; what is left over at the end stays."""
    length = round(_PIECE_S * 16000)
    n_pieces = waveform.shape[1] // length
    pieces = waveform[:, : n_pieces * length].reshape(2, n_pieces, length)
    order = _partly_shuffled(n_pieces, strength, rng)
    return np.concatenate([pieces[:, order].reshape(2, -1), waveform[:, n_pieces * length :]], axis=1)


def narrowing(waveform: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Left and right move towards their mean: mono at strength 1."""
    middle = waveform.mean(axis=0, keepdims=True)
    return waveform + np.float32(strength) * (middle - waveform)


PICTURE_DISTORTIONS: Mapping[str, Distortion] = {
    "shuffle": picture_shuffle,
    "freeze": freeze,
    "warp": warp,
    "blur": blur,
    "noise": picture_noise,
}
SOUND_DISTORTIONS: Mapping[str, Distortion] = {
    "shuffle": sound_shuffle,
    "narrowing": narrowing,
    "clipping": clipping,
    "low_pass": low_pass,
    "noise": sound_noise,
}


def distorted(
    media: np.ndarray, distortions: Mapping[str, Distortion], strengths: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Pictures or sound with each distortion, in order, at its strength; those of strength 0 are left out."""
    for distortion, strength in zip(distortions.values(), strengths.tolist(), strict=True):
        if strength > 0:
            media = distortion(media, strength, rng)
    return media


def _between(ends: tuple[float, float], strength: float) -> float:
    """The geometric way from one end to the other: equal steps of strength are equal ratios."""
    return ends[0] * (ends[1] / ends[0]) ** strength


def _linear(ends: tuple[float, float], strength: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * strength


def _rms(waveform: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64))))


def _partly_shuffled(n: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """The numbers 0 to n - 1, of which some, two at least, have new places: each that of another of them.

    So many are moved that about the given share of neighbours is torn apart.
    """
    moved = rng.permutation(n)[: max(2, round((1 - (1 - share) ** 0.5) * n))]
    order = np.arange(n)
    order[moved] = np.roll(moved, 1)
    return order
