"""The official clip loader: random 2-second windows of a folder, with all that it does to pictures and sound.

Source: ``av_quality_evaluation/multimodal_datasets.py`` and torchvision's ``VideoClips`` as that file uses it. What
each quirk does to the numbers is written in ``docs/parity.md``.
"""

import math
from collections.abc import Sequence
from random import Random

import numpy as np
import torch
from torch.nn import functional

WINDOW_FRAMES = 20
WINDOW_FPS = 10
WINDOW_SIZE_PX = 256
AUDIO_RATE_HZ = 44100
AUDIO_SAMPLES = 80000
BATCH_WINDOWS = 8
SEED = 42

# The audio reader refills its buffer here, and every sample that it then delivers is one late.
_READER_BUFFER_SAMPLES = 200000


def window_count(n_frames: int, fps: float) -> int:
    """Number of windows in a video; 0 when it is too short for one."""
    return max(0, math.floor(n_frames * (WINDOW_FPS / fps)) - (WINDOW_FRAMES - 1))


def source_frames(window: int, fps: float) -> np.ndarray:
    """Index (int64, 20) of the source frame behind each frame of a window."""
    resampled = np.arange(window, window + WINDOW_FRAMES, dtype=np.float32)
    return np.floor(resampled * np.float32(fps / WINDOW_FPS)).astype(np.int64)


def shuffled(windows: Sequence[int], rng: Random) -> list[int]:
    """The windows in the loader's order. One generator, seeded with 42, serves generated, then reference."""
    order = list(windows)
    rng.shuffle(order)
    return order


def batches(order: Sequence[int], count: int) -> list[list[int]]:
    """Batches of 8 in the given order until at least ``count`` windows are in them.

    The list is traversed again when it is too short; a batch never reaches over its end, so the last batch of each
    traversal may be smaller.
    """
    one_pass = [list(order[i : i + BATCH_WINDOWS]) for i in range(0, len(order), BATCH_WINDOWS)]
    taken: list[list[int]] = []
    n_taken = 0
    while one_pass and n_taken < count:
        batch = one_pass[len(taken) % len(one_pass)]
        taken.append(batch)
        n_taken += len(batch)
    return taken


def letterbox(frames: np.ndarray) -> np.ndarray:
    """Frames (T, H, W, 3) uint8 fitted into 256x256: bicubic without antialiasing, black bars around.

    Frames of that size come back untouched.
    """
    height, width = frames.shape[1:3]
    ratio = min(WINDOW_SIZE_PX / height, WINDOW_SIZE_PX / width)
    new_height, new_width = int(height * ratio), int(width * ratio)
    if (new_height, new_width) == (height, width) == (WINDOW_SIZE_PX, WINDOW_SIZE_PX):
        return frames
    pixels = torch.from_numpy(np.array(frames)).permute(0, 3, 1, 2).float()
    scaled = functional.interpolate(pixels, (new_height, new_width), mode="bicubic", align_corners=False)
    scaled = scaled.round().clamp(0, 255).to(torch.uint8)
    top, left = (WINDOW_SIZE_PX - new_height) // 2, (WINDOW_SIZE_PX - new_width) // 2
    bottom, right = WINDOW_SIZE_PX - new_height - top, WINDOW_SIZE_PX - new_width - left
    padded = functional.pad(scaled, (left, right, top, bottom))
    return np.ascontiguousarray(padded.permute(0, 2, 3, 1).numpy())


def _round_trip() -> np.ndarray:
    levels = np.arange(256, dtype=np.float32) / np.float32(127.5) - np.float32(1)
    return ((levels + np.float32(1)) * np.float32(127.5)).clip(0, 255).astype(np.uint8)


ROUND_TRIP = _round_trip()
"""What becomes of each grey level on its way through [-1, 1]: levels 1..63 lose one."""


def window_video(frames: np.ndarray, window: int, fps: float) -> np.ndarray:
    """Pictures of a window as the networks see them.

    Args:
        frames: uint8 (T, 256, 256, 3), already through `letterbox`.
        window: number of the window within its video.
        fps: frames per second of the video.

    Returns:
        uint8 (20, 256, 256, 3), grey levels lowered by the round trip.
    """
    return ROUND_TRIP[frames[source_frames(window, fps)]]


def window_audio(pcm_44k1: np.ndarray, window: int, fps: float) -> np.ndarray:
    """Sound of a window: its first 1.81 s, or less with zeros behind.

    Args:
        pcm_44k1: int16 (2, L) of the whole clip at 44.1 kHz.
        window: number of the window within its video.
        fps: frames per second of the video.

    Returns:
        int16 (2, 80000).
    """
    source = source_frames(window, fps)
    start_s, end_s = source[0] / fps, (source[-1] + 1) / fps
    n_samples = int(AUDIO_RATE_HZ * (end_s - start_s))
    first = int(start_s * AUDIO_RATE_HZ)
    index = first + np.arange(n_samples)
    if first + n_samples - 1 >= _READER_BUFFER_SAMPLES:
        index[n_samples // 2 :] -= 1
    index = index[:AUDIO_SAMPLES]
    index = index[index < pcm_44k1.shape[1]]
    sound = np.zeros((2, AUDIO_SAMPLES), np.int16)
    sound[:, : len(index)] = pcm_44k1[:, index]
    return sound
