"""A small network whose 64 features of a clip's pictures are what fvd_mini and kvd_mini compare."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from savg_ray.errors import ClipError
from savg_ray.networks.convolution import channels_last_on_cpu

N_FEATURES = 64
FILL_SALT = 5001
FILL_GAIN = 2**0.5
MIN_FRAMES = 2

_SIDE_PX = 128
_WIDTHS = (16, 32, 64, 64)
# The picture's columns keep their place in this many parts, so that features can tell left from right.
_COLUMNS = 4

# Motion is the change since the pictures so many before, in so many parts a side.
_LAGS = (1, 2, 4)
_PARTS = 16
_MOTION_WIDTH = 32
# About a grey level of 255, in pictures from -1 to 1: less is noise of the coding.
_STILL = 0.01


class VideoMini(nn.Module):
    """Convolutions in space, then in time, as in R(2+1)D (Tran et al. 2018), made small, and a branch for motion.

    Beside red, green and blue it sees how each picture differs from the one before. Means and deviations over time
    of the last layers become the features, without an activation.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        n_in = 4
        for width in _WIDTHS:
            layers += _layer(n_in, width, (1, 3, 3), (1, 2, 2))
            # At full size a look at the pictures before and after costs more than all the rest.
            if width != _WIDTHS[0]:
                layers += _layer(width, width, (3, 1, 1), (1, 1, 1))
            n_in = width
        self.layers = nn.Sequential(*layers)
        self.motion = _Motion()
        self.features = nn.Linear(2 * (_COLUMNS * n_in + _MOTION_WIDTH), N_FEATURES)

    def forward(self, video: Tensor) -> Tensor:
        """Features of RGB clips.

        Args:
            video: uint8 (B, T, H, W, 3), T >= 2, any frame size.

        Returns:
            float32 (B, 64).

        Raises:
            ClipError: ``bad_frames`` for another dtype or shape, ``too_few_frames`` for a single frame.
        """
        pictures = preprocess_video(video)
        x = self.layers(pictures).float()
        # Rows are averaged, columns into parts: (B, C, T, H, W) -> (B, C, T, 4).
        x = x.mean(dim=3).unflatten(3, (_COLUMNS, -1)).mean(dim=4)
        # The constant keeps the gradient finite where nothing moves.
        deviation = (x.var(dim=2, correction=0) + 1e-6).sqrt()
        pooled = torch.cat([x.mean(dim=2), deviation], dim=1).flatten(1)
        moving = self.motion(pictures[:, :3].mean(dim=1))
        with torch.autocast(x.device.type, enabled=False):
            return self.features(torch.cat([pooled, moving], dim=1))


class _Motion(nn.Module):
    """Whether motion goes on from picture to picture.

    What moves smoothly is the further from where it was the longer ago that is. In shuffled pictures it is as far
    after one as after four; where pictures are held it does not move, and then jumps. Parts of the picture count by
    how much they change, so that a small person in a large room does.
    """

    def __init__(self) -> None:
        super().__init__()
        width = _MOTION_WIDTH
        self.layers = nn.Sequential(
            *_layer(len(_LAGS), width, (1, 1, 1), (1, 1, 1)), *_layer(width, width, (3, 1, 1), (1, 1, 1))
        )

    def forward(self, grey: Tensor) -> Tensor:
        """Grey pictures (B, T, 128, 128) to weighted means and deviations, float32 (B, 64)."""
        change = torch.stack([_change(grey, lag) for lag in _LAGS], dim=1)
        x = self.layers(torch.log(change + _STILL)).float()
        # The constants let all parts count alike, and keep the gradient finite, where nothing moves.
        weight = change[:, -1:] + 1e-6
        weight = weight / weight.sum(dim=(2, 3, 4), keepdim=True)
        mean = (weight * x).sum(dim=(2, 3, 4))
        variance = (weight * (x - mean[:, :, None, None, None]).square()).sum(dim=(2, 3, 4))
        return torch.cat([mean, (variance + 1e-6).sqrt()], dim=1)


def _change(grey: Tensor, lag: int) -> Tensor:
    """Mean absolute difference (B, T, 16, 16) to the picture ``lag`` before, or to the first where there is none."""
    before = (torch.arange(grey.shape[1], device=grey.device) - lag).clamp(min=0)
    return F.adaptive_avg_pool2d((grey - grey[:, before]).abs(), (_PARTS, _PARTS))


def preprocess_video(video: Tensor) -> Tensor:
    """uint8 (B, T, H, W, 3) to float32 (B, 4, T, 128, 128): RGB in [-1, 1], and grey minus the grey before.

    Pictures are averaged down, so that noise and detail shrink as they would to the eye.

    Raises:
        ClipError: as `VideoMini.forward`.
    """
    if video.dtype != torch.uint8 or video.ndim != 5 or video.shape[-1] != 3:
        raise ClipError(
            "bad_frames",
            f"VideoMini needs uint8 RGB video (B, T, H, W, 3), not {video.dtype} {tuple(video.shape)}; convert them.",
        )
    n_clips, n_frames = video.shape[:2]
    if n_frames < MIN_FRAMES:
        raise ClipError(
            "too_few_frames", f"VideoMini needs at least {MIN_FRAMES} frames and got {n_frames}: use longer clips."
        )
    frames = video.flatten(0, 1).permute(0, 3, 1, 2).float()
    frames = F.adaptive_avg_pool2d(frames, (_SIDE_PX, _SIDE_PX))
    frames = (frames / 127.5 - 1).unflatten(0, (n_clips, n_frames)).transpose(1, 2)
    grey = frames.mean(dim=1, keepdim=True)
    change = torch.cat([torch.zeros_like(grey[:, :, :1]), grey[:, :, 1:] - grey[:, :, :-1]], dim=2)
    return channels_last_on_cpu(torch.cat([frames, change], dim=1))


def _layer(n_in: int, n_out: int, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> list[nn.Module]:
    padding = tuple(size // 2 for size in kernel)
    convolution = nn.Conv3d(n_in, n_out, kernel, stride, padding, bias=False)
    return [convolution, nn.BatchNorm3d(n_out), nn.ReLU(inplace=True)]
