"""Pictures of clips at other sizes, as training shows them."""

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
