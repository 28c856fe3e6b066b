"""Pictures at other sizes."""

import numpy as np
import torch
import torch.nn.functional as F


def resized(frames: np.ndarray, height_px: int, width_px: int, antialias: bool = True) -> np.ndarray:
    """uint8 (T, H, W, 3) to (T, height_px, width_px, 3): bicubic, rounded, as torchvision does.

    Without antialiasing as OpenCV does too, but for the last bit where a level lies between two.
    """
    if frames.shape[1:3] == (height_px, width_px):
        return frames
    pictures = torch.from_numpy(frames).permute(0, 3, 1, 2).float()
    pictures = F.interpolate(pictures, (height_px, width_px), mode="bicubic", antialias=antialias)
    return pictures.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()


def fitted(frames: np.ndarray, height_px: int, width_px: int, antialias: bool = True) -> np.ndarray:
    """As `resized`, but with the picture's proportions kept, and black bars where that leaves room."""
    height, width = frames.shape[1:3]
    ratio = min(height_px / height, width_px / width)
    inner_height, inner_width = (max(1, round(side * ratio)) for side in (height, width))
    inner = resized(frames, inner_height, inner_width, antialias)
    top, left = (height_px - inner_height) // 2, (width_px - inner_width) // 2
    bars = ((top, height_px - inner_height - top), (left, width_px - inner_width - left))
    return np.pad(inner, ((0, 0), *bars, (0, 0))) if any(map(any, bars)) else inner
