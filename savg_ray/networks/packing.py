"""Pictures and sound as fewer places with more channels, and back, without losing a value."""

import torch.nn.functional as F
from torch import Tensor


def packed_pictures(pictures: Tensor, patch_px: int) -> Tensor:
    """(..., C, H, W) to (..., C·patch², H/patch, W/patch): the pixels of every square patch become channels."""
    return pictures if patch_px == 1 else F.pixel_unshuffle(pictures, patch_px)


def unpacked_pictures(packed: Tensor, patch_px: int) -> Tensor:
    """Undoes `packed_pictures`."""
    return packed if patch_px == 1 else F.pixel_shuffle(packed, patch_px)


def packed_frames(video: Tensor, patch: int) -> Tensor:
    """(B, F, C, H, W) to (B, F/patch, patch·C, H, W): the frames of every stretch become channels."""
    return video if patch == 1 else video.unflatten(1, (-1, patch)).flatten(2, 3)


def unpacked_frames(packed: Tensor, patch: int) -> Tensor:
    """Undoes `packed_frames`."""
    return packed if patch == 1 else packed.unflatten(2, (patch, -1)).flatten(1, 2)


def packed_sound(sound: Tensor, patch: int) -> Tensor:
    """(B, C, L) to (B, C·patch, L/patch): the samples of every stretch become channels."""
    return sound if patch == 1 else sound.unflatten(2, (-1, patch)).transpose(2, 3).flatten(1, 2)


def unpacked_sound(packed: Tensor, patch: int) -> Tensor:
    """Undoes `packed_sound`."""
    return packed if patch == 1 else packed.unflatten(1, (-1, patch)).transpose(2, 3).flatten(2, 3)
