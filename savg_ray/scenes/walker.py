"""A five-second clip of one person who walks and talks: pictures and sound that agree, made from a seed."""

import cv2
import numpy as np

from savg_ray.clips import Clip

N_FRAMES = 20
FPS = 4.0
SIZE_PX = 256
RATE_HZ = 16000
N_SAMPLES = 80000
# The benchmark's pictures span 100 degrees.
_HALF_VIEW_DEG = 50.0


def walker_clip(clip_id: str, seed: int) -> Clip:
    """Draw and voice one clip; the same seed gives the same clip.

    Returns:
        20 frames of 256x256 at 4 fps and 5 s of stereo at 16 kHz, panned to where the person is.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    start_px, end_px = rng.uniform(40, SIZE_PX - 40, size=2)
    frame_x_px = np.linspace(start_px, end_px, N_FRAMES)
    sample_x_px = np.linspace(start_px, end_px, N_SAMPLES)
    room, coat = rng.integers(90, 200, size=3), rng.integers(0, 120, size=3)
    pictures = [_draw(int(x), step, room, coat) for step, x in enumerate(frame_x_px)]
    return Clip(clip_id, np.stack(pictures), FPS, _pan(_babble(rng), sample_x_px), RATE_HZ)


def stereo_gains(x_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left and right gain of a source at pixel column x: 1 + s and 1 - s with s the sine of its azimuth to the left.

    This is what two opposite cardioids give, and so what the benchmark's FOA to stereo conversion does (L = W + Y).
    """
    centred = 1.0 - 2.0 * x_px / SIZE_PX
    azimuth = np.arctan(centred * np.tan(np.radians(_HALF_VIEW_DEG)))
    return 1.0 + np.sin(azimuth), 1.0 - np.sin(azimuth)


def _draw(x: int, step: int, room: np.ndarray, coat: np.ndarray) -> np.ndarray:
    picture = np.full((SIZE_PX, SIZE_PX, 3), room, np.uint8)
    cv2.rectangle(picture, (0, 190), (SIZE_PX, SIZE_PX), (room * 0.6).tolist(), cv2.FILLED)
    skin, trousers = (224, 180, 150), (40, 40, 60)
    stride = 10 if step % 2 else -10
    for side in (stride, -stride):
        cv2.line(picture, (x, 165), (x + side, 225), trousers, 10, cv2.LINE_AA)
    cv2.ellipse(picture, (x, 130), (18, 42), 0, 0, 360, coat.tolist(), cv2.FILLED, cv2.LINE_AA)
    cv2.circle(picture, (x, 75), 16, skin, cv2.FILLED, cv2.LINE_AA)
    return picture


def _babble(rng: np.random.Generator) -> np.ndarray:
    """Voice-like mono: a gliding pitch with overtones, in syllables, over faint noise."""
    time_s = np.arange(N_SAMPLES) / RATE_HZ
    pitch_hz = rng.uniform(100, 220) * (1 + 0.1 * np.sin(2 * np.pi * rng.uniform(0.3, 0.8) * time_s))
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ
    voice = sum(np.sin(k * phase) / k for k in range(1, 9))
    syllables = np.clip(np.sin(2 * np.pi * rng.uniform(2.0, 4.0) * time_s), 0, None) ** 2
    return 0.1 * voice * syllables + 1e-3 * rng.standard_normal(N_SAMPLES)


def _pan(mono: np.ndarray, x_px: np.ndarray) -> np.ndarray:
    left, right = stereo_gains(x_px)
    return np.stack([mono * left, mono * right]).astype(np.float32)
