"""I3D: the video network whose 400 class scores are the features of FVD and KVD."""

import math
from collections import OrderedDict
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from savg_ray.errors import ClipError
from savg_ray.networks.convolution import channels_last_on_cpu, convolve

FILL_SALT = 1000
FILL_GAIN = 2**0.5
SIDE_PX = 224
MIN_FRAMES = 9
N_CLASSES = 400

# Output widths of b0, b1a, b1b, b2a, b2b, b3b.
_MIXED_WIDTHS = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}

Size3 = tuple[int, int, int]


def preprocess_video(video: Tensor) -> Tensor:
    """Frames as I3D wants them: shorter side bilinearly to 224 px, centre crop, values in [-1, 1].

    Args:
        video: uint8 (B, T, H, W, 3), RGB.

    Returns:
        float32 (B, 3, T, 224, 224).

    Raises:
        ClipError: ``bad_frames`` when ``video`` has another dtype or shape.
    """
    if video.dtype != torch.uint8 or video.ndim != 5 or video.shape[-1] != 3:
        raise ClipError(
            "bad_frames",
            f"I3D needs uint8 RGB frames (B, T, H, W, 3), not {video.dtype} {tuple(video.shape)}: convert them.",
        )
    batch, n_frames, height, width, _ = video.shape
    scale = SIDE_PX / min(height, width)
    # In floating point as in the official evaluation, where the ceiling can land one pixel above the exact size.
    size = (SIDE_PX, math.ceil(width * scale)) if height < width else (math.ceil(height * scale), SIDE_PX)
    frames = video.flatten(0, 1).permute(0, 3, 1, 2).to(torch.float32).div_(255)
    frames = F.interpolate(frames, size=size, mode="bilinear", align_corners=False)
    top, left = (size[0] - SIDE_PX) // 2, (size[1] - SIDE_PX) // 2
    frames = frames[:, :, top : top + SIDE_PX, left : left + SIDE_PX]
    frames = frames.sub(0.5).mul_(2)
    return channels_last_on_cpu(frames.unflatten(0, (batch, n_frames)).transpose(1, 2))


def pad_same(x: Tensor, kernel: Size3, stride: Size3) -> Tensor:
    """Zero padding of (B, C, T, H, W) after which a strided window gives ceil(size / stride) outputs on each axis.

    An odd total puts the extra zero at the end, as TensorFlow's SAME padding does.
    """
    padding: list[int] = []
    for size, k, s in zip(reversed(x.shape[2:]), reversed(kernel), reversed(stride), strict=True):
        total = max(k - (size % s or s), 0)
        padding += [total // 2, total - total // 2]
    return F.pad(x, padding) if any(padding) else x


class ConvUnit(nn.Module):
    """SAME convolution without bias, batch norm, ReLU: (B, in, T, H, W) -> (B, out, T', H', W')."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        # Unit stride with an odd kernel pads both ends alike, which the convolution does without a copy.
        self.conv3d = nn.Conv3d(n_in, n_out, kernel, stride, padding=kernel // 2 if stride == 1 else 0, bias=False)
        self.bn = nn.BatchNorm3d(n_out, eps=1e-5)

    def forward(self, x: Tensor) -> Tensor:
        """The unit's activation, never negative."""
        if self.conv3d.stride != (1, 1, 1):
            x = pad_same(x, self.conv3d.kernel_size, self.conv3d.stride)
        return F.relu(self.bn(convolve(self.conv3d, x)), inplace=True)


class SameMaxPool(nn.Module):
    """Max pooling with SAME zero padding, one axis after the other: the same maxima from fewer comparisons."""

    def __init__(self, kernel: Size3, stride: Size3) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, C, ceil(T/s), ceil(H/s), ceil(W/s))."""
        x = pad_same(x, self.kernel, self.stride)
        for axis, (size, stride) in enumerate(zip(self.kernel, self.stride, strict=True), start=2):
            x = _max_along(x, axis, size, stride)
        return x


def _max_along(x: Tensor, axis: int, size: int, stride: int) -> Tensor:
    if size == 1:
        return x
    n_inner = x.shape[axis] - size + 1
    first, second, *others = (x.narrow(axis, i, n_inner)[_every(stride, axis)] for i in range(size))
    highest = torch.maximum(first, second)
    for other in others:
        highest = torch.maximum(highest, other)
    return highest


def _every(stride: int, axis: int) -> tuple[slice, ...]:
    return (*(slice(None) for _ in range(axis)), slice(None, None, stride))


class Mixed(nn.Module):
    """Inception block: four branches side by side, concatenated over channels."""

    def __init__(self, n_in: int, widths: tuple[int, int, int, int, int, int]) -> None:
        super().__init__()
        w0, w1a, w1b, w2a, w2b, w3b = widths
        self.b0 = ConvUnit(n_in, w0, 1)
        self.b1a = ConvUnit(n_in, w1a, 1)
        self.b1b = ConvUnit(w1a, w1b, 3)
        self.b2a = ConvUnit(n_in, w2a, 1)
        self.b2b = ConvUnit(w2a, w2b, 3)
        self.b3a = SameMaxPool((3, 3, 3), (1, 1, 1))
        self.b3b = ConvUnit(n_in, w3b, 1)
        self.n_out = w0 + w1b + w2b + w3b

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_in, T, H, W) -> (B, n_out, T, H, W)."""
        return torch.cat((self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(self.b3a(x))), dim=1)


class I3D(nn.Module):
    """Inception-v1 inflated to 3-D (Carreira & Zisserman 2017, https://arxiv.org/abs/1705.07750), 400 classes.

    The state dict is that of the official checkpoint. Batch norm follows ``eval()`` / ``train()`` as usual; the
    features of FVD and KVD are those of evaluation mode.
    """

    def __init__(self) -> None:
        super().__init__()
        # The checkpoint lists the classifier first, although it comes last.
        self.logits = nn.Sequential(OrderedDict(conv3d=nn.Conv3d(1024, N_CLASSES, 1)))
        self.Conv3d_1a_7x7 = ConvUnit(3, 64, 7, stride=2)
        self.MaxPool3d_2a_3x3 = SameMaxPool((1, 3, 3), (1, 2, 2))
        self.Conv3d_2b_1x1 = ConvUnit(64, 64, 1)
        self.Conv3d_2c_3x3 = ConvUnit(64, 192, 3)
        self.MaxPool3d_3a_3x3 = SameMaxPool((1, 3, 3), (1, 2, 2))
        width = self._add_mixed(192, "3b", "3c")
        self.MaxPool3d_4a_3x3 = SameMaxPool((3, 3, 3), (2, 2, 2))
        width = self._add_mixed(width, "4b", "4c", "4d", "4e", "4f")
        self.MaxPool3d_5a_2x2 = SameMaxPool((2, 2, 2), (2, 2, 2))
        self._add_mixed(width, "5b", "5c")

    def _add_mixed(self, width: int, *names: str) -> int:
        for name in names:
            block = Mixed(width, _MIXED_WIDTHS[f"Mixed_{name}"])
            self.add_module(f"Mixed_{name}", block)
            width = block.n_out
        return width

    def end_points(self) -> Iterator[tuple[str, nn.Module]]:
        """The named stages before the classifier, in the order in which data passes them."""
        return ((name, stage) for name, stage in self.named_children() if name != "logits")

    def classify(self, x: Tensor) -> Tensor:
        """Class scores before softmax, averaged over time.

        Args:
            x: float32 (B, 3, T, 224, 224) in [-1, 1], T >= 9, from ``preprocess_video``.

        Returns:
            float32 (B, 400).
        """
        for _, stage in self.end_points():
            x = stage(x)
        x = self.logits(F.avg_pool3d(x, (2, 7, 7), stride=1))
        return x.flatten(2).to(torch.float32).mean(dim=2)

    def forward(self, video: Tensor) -> Tensor:
        """I3D features of RGB clips.

        Args:
            video: uint8 (B, T, H, W, 3), RGB, T >= 9, any frame size.

        Returns:
            float32 (B, 400), class scores before softmax.

        Raises:
            ClipError: ``bad_frames`` for another dtype or shape, ``too_few_frames`` when T < 9.
        """
        if video.ndim == 5 and video.shape[1] < MIN_FRAMES:
            raise ClipError(
                "too_few_frames",
                f"I3D needs at least {MIN_FRAMES} frames and got {video.shape[1]}: use longer clips or windows.",
            )
        return self.classify(preprocess_video(video))
