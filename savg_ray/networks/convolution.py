"""Convolutions on one CPU thread at the speed that the processor allows."""

import torch
from torch import Tensor, nn

Convolution = nn.Conv2d | nn.Conv3d


def convolve(conv: Convolution, x: Tensor) -> Tensor:
    """What ``conv(x)`` gives, on a CPU always through oneDNN.

    PyTorch hands pointwise kernels on one thread, and small batches, to a matrix product over unfolded copies, which
    takes up to 2.5 times as long. Sums are split otherwise, so that the last bits differ.

    Args:
        conv: with its padding given in numbers.
        x: (N, C, ...) of any floating dtype; results keep its memory format.

    Returns:
        (N, C', ...).
    """
    # Autocast knows only the convolutions that go through PyTorch's own choice, and in bfloat16 that is oneDNN.
    if x.device.type != "cpu" or x.dtype != torch.float32 or not _has_onednn() or torch.is_autocast_enabled("cpu"):
        return conv(x)
    return torch.mkldnn_convolution(x, conv.weight, conv.bias, conv.padding, conv.stride, conv.dilation, conv.groups)


def channels_last_on_cpu(x: Tensor) -> Tensor:
    """The same values, on a CPU with the channels of a pixel side by side, which is what oneDNN is fastest on."""
    if x.device.type != "cpu":
        return x.contiguous()
    return x.contiguous(memory_format=torch.channels_last if x.ndim == 4 else torch.channels_last_3d)


def _has_onednn() -> bool:
    return torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled
