"""Layers of the multimodal UNet under their official names: video (B, F, H, W, C) and audio (B, L, C)."""

import torch.nn.functional as F
from torch import Tensor, nn

from savg_ray.networks.unet_parts import (
    GroupNorm,
    ImageConv,
    convolved,
    doubled,
    halved,
    multiplied,
    on_plain_cpu,
    pointwise,
)

AUDIO_FACTOR = 4


class NamedGroupNorm(nn.Module):
    """GroupNorm whose parameters sit one level deeper, as in the official state dict."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.GroupNorm = GroupNorm(channels)

    def forward(self, x: Tensor, modulation: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """(N, T, S, C) to the same; see ``unet_parts.GroupNorm``."""
        return self.GroupNorm(x, modulation)

    def whole(self, x: Tensor, modulation: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """(B, ..., C) to the same; statistics over all pixels of all frames, or all samples, of a clip."""
        return self.GroupNorm(x.flatten(1, -2).unsqueeze(2), modulation).view(x.shape)


class VideoConv(nn.Module):
    """A 3×3 kernel in every frame, then a kernel of 3 over the frames of every pixel ("2d+1d")."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.video_conv_spatial = ImageConv(in_channels, out_channels, 3, padding=1)
        self.video_conv_temporal = nn.Conv1d(out_channels, out_channels, 3, padding=1)

    def forward(self, video: Tensor, shrink: bool = False) -> Tensor:
        """(B, F, H, W, C) to (B, F, H, W, C'), or to half the height and width, the means of each 2×2."""
        frames = self.video_conv_spatial(video.flatten(0, 1))
        if shrink:
            # Pooling and the kernel over frames commute; this way round there is a quarter to convolve.
            frames = halved(frames)
        kernel, bias = self.video_conv_temporal.weight.unsqueeze(3), self.video_conv_temporal.bias
        pixels = frames.unflatten(0, video.shape[:2]).flatten(2, 3)
        pixels = convolved(pixels, kernel, bias, padding=(1, 0))
        return pixels.unflatten(2, frames.shape[1:3])


class PointwiseVideoConv(nn.Module):
    """A 1×1×1 kernel."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.video_conv = nn.Conv3d(in_channels, out_channels, 1)

    def forward(self, video: Tensor) -> Tensor:
        """(..., C) to (..., C')."""
        return pointwise(self.video_conv, video)


class VideoConv3d(nn.Module):
    """A 3×3×3 kernel over frames, height and width."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.video_conv = nn.Conv3d(in_channels, out_channels, 3, padding=1)

    def forward(self, video: Tensor) -> Tensor:
        """(B, F, H, W, C) to (B, F, H, W, C')."""
        return convolved(video, self.video_conv.weight, self.video_conv.bias, (1, 1, 1), (1, 1, 1))


class PointwiseAudioConv(nn.Module):
    """A kernel of 1."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.audio_conv = nn.Conv1d(in_channels, out_channels, 1)

    def forward(self, audio: Tensor) -> Tensor:
        """(B, L, C) to (B, L, C')."""
        return pointwise(self.audio_conv, audio)


class AudioConv(nn.Module):
    """A dilated kernel of 3 over samples, zeros outside the clip."""

    def __init__(self, in_channels: int, out_channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.audio_conv = nn.Conv1d(in_channels, out_channels, 3, padding=dilation, dilation=dilation)

    def forward(self, audio: Tensor, shrink: bool = False) -> Tensor:
        """(B, L, C) to (B, L, C'), or to a quarter of the length, the means of each 4 samples."""
        dilation = self.audio_conv.dilation[0]
        if not shrink:
            return _convolved(self.audio_conv, audio, dilation)
        if dilation % AUDIO_FACTOR == 0:
            # The taps are whole groups of samples apart, so that the means can be taken first.
            return _convolved(self.audio_conv, shortened(audio), dilation // AUDIO_FACTOR)
        return shortened(_convolved(self.audio_conv, audio, dilation))


def _convolved(conv: nn.Conv1d, audio: Tensor, dilation: int) -> Tensor:
    if on_plain_cpu(audio):
        return _convolved_tap_by_tap(conv, audio, dilation)
    row, kernel = audio.transpose(1, 2).unsqueeze(2), conv.weight.unsqueeze(2)
    out = F.conv2d(row, kernel, conv.bias, padding=(0, dilation), dilation=(1, dilation))
    return out.squeeze(2).transpose(1, 2)


def _convolved_tap_by_tap(conv: nn.Conv1d, audio: Tensor, dilation: int) -> Tensor:
    """Three matrix products: oneDNN reaches a third of their speed on one row of 80000 samples."""
    before, here, after = (tap.contiguous() for tap in conv.weight.unbind(2))
    out = multiplied(audio, here, conv.bias)
    if dilation < audio.shape[1]:
        for clip, result in zip(audio, out, strict=True):
            result[dilation:].addmm_(clip[:-dilation], before.t())
            result[:-dilation].addmm_(clip[dilation:], after.t())
    return out


def shrunk_video(video: Tensor) -> Tensor:
    """(B, F, H, W, C) to (B, F, H/2, W/2, C), the means of each 2×2."""
    return halved(video.flatten(0, 1)).unflatten(0, video.shape[:2])


def grown_video(video: Tensor) -> Tensor:
    """(B, F, H, W, C) to (B, F, 2H, 2W, C), each pixel repeated."""
    return doubled(video.flatten(0, 1)).unflatten(0, video.shape[:2])


def shortened(audio: Tensor) -> Tensor:
    """(B, L, C) to (B, L/4, C), the means of each 4 samples."""
    return audio.unflatten(1, (-1, AUDIO_FACTOR)).mean(2)


def lengthened(audio: Tensor) -> Tensor:
    """(B, L, C) to (B, 4L, C), each sample repeated."""
    return audio.unsqueeze(2).expand(-1, -1, AUDIO_FACTOR, -1).flatten(1, 2)
