"""Stereo SELD: two convolutional branches, activity and position, that exchange channels and end in transformers."""

from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from savg_ray.weights.fill import normal_array

N_CLASSES = 2
N_BINS = 257
FILL_SALT = 3000
FILL_GAIN = 2**0.5
FILL_BIAS_SED = (1.45, 5.05)
FILL_BIAS_DOA = (2.15, 2.2)

# Below this amplitude spectra hold rounding noise; log levels of clips then have about mean 0 and deviation 1.
_QUIET, _LOG_CENTRE, _LOG_RANGE = 5e-3, -3.0, 1.5


@dataclass(frozen=True)
class SeldConfig:
    """Shape of the stereo SELD network; the defaults are those of the official checkpoint.

    Attributes:
        widths: channels of the four blocks; the last is the width of the transformers.
        pools: averages after each block, frames and bins.
        n_heads: of each attention, a divisor of the last width.
        feed_forward: hidden width of the transformers.
        n_layers: of each transformer.
        dropout: inside the transformers.
        log_levels: the network looks at log amplitudes and the cosine of the phase, which knows no jump from 2 pi to
            0, rather than at the features as they are. Level differences, which tell directions, are then sums.
        merged: neighbouring frames and bins that are averaged before the first block.
    """

    widths: tuple[int, int, int, int] = (64, 128, 256, 512)
    pools: tuple[tuple[int, int], ...] = ((2, 2), (2, 2), (1, 2), (1, 2))
    n_heads: int = 8
    feed_forward: int = 1024
    n_layers: int = 2
    dropout: float = 0.2
    log_levels: bool = False
    merged: tuple[int, int] = (1, 1)

    @classmethod
    def mini(cls) -> "SeldConfig":
        """SELD-mini: a twentieth of the official network, for one core of a processor."""
        return cls(
            widths=(16, 32, 64, 128),
            pools=((2, 4), (1, 4), (1, 2), (1, 2)),
            n_heads=4,
            feed_forward=256,
            dropout=0.1,
            log_levels=True,
            merged=(2, 2),
        )

    @property
    def frames_per_step(self) -> int:
        """Feature frames that share one output."""
        return prod(frames for frames, _ in (self.merged, *self.pools))


class SeldNet(nn.Module):
    """Sound event detection and localisation on two-channel spectrogram features (SAVGBench).

    The state dict has the official keys (``sed`` = activity branch, ``doa`` = position branch). The branches
    exchange channels by cross-stitch units after blocks 1 to 3 (Misra et al. 2016, as in EINV2, Cao et al. 2021).

    Args:
        config: the official shape by default.
    """

    def __init__(self, config: SeldConfig = SeldConfig()) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        # EINV2's starting range: each branch keeps a share of itself and takes a share of the other.
        self.stitch1 = nn.Parameter(torch.empty(widths[0], 2, 2).uniform_(0.1, 0.9))
        self.stitch2 = nn.Parameter(torch.empty(widths[1], 2, 2).uniform_(0.1, 0.9))
        self.stitch3 = nn.Parameter(torch.empty(widths[2], 2, 2).uniform_(0.1, 0.9))
        for branch, in_channels in (("sed", 2), ("doa", 3)):
            channels = (in_channels, *widths)
            for i, pool in enumerate(config.pools):
                block = nn.Sequential(_DoubleConv(channels[i], channels[i + 1]), nn.AvgPool2d(pool))
                self.add_module(f"{branch}_conv_block{i + 1}", block)
        self.sed_trans_track1 = _time_transformer(config)
        self.doa_trans_track1 = _time_transformer(config)
        self.fc_sed_track1 = nn.Linear(widths[-1], N_CLASSES)
        self.fc_doa_track1 = nn.Linear(widths[-1], N_CLASSES)

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features (B, 3, 257, frames) to activity logits and positions, both (B, 2, frames).

        ``features`` are |L|, |R| and the phase of R over L (``savg_ray.seld.features``), 100 frames a second, with a
        multiple of 4 frames. A position is a share of the picture's width (pixels / 256) without an activation: it
        may leave [0, 1), and means something only where its class is active.
        """
        if self.config.log_levels:
            features = _log_levels(features)
        features = features.transpose(2, 3)
        if self.config.merged != (1, 1):
            features = F.avg_pool2d(features, self.config.merged)
        # Channels last saves a third of the time of the convolutions on a CPU.
        direction = features.contiguous(memory_format=torch.channels_last)
        detection = direction[:, :2]
        for i, stitch in enumerate((self.stitch1, self.stitch2, self.stitch3, None), start=1):
            detection = self.get_submodule(f"sed_conv_block{i}")(detection)
            direction = self.get_submodule(f"doa_conv_block{i}")(direction)
            if stitch is not None:
                detection, direction = _exchange(stitch, detection, direction)
        detection = self.sed_trans_track1(detection.mean(dim=3).transpose(1, 2))
        direction = self.doa_trans_track1(direction.mean(dim=3).transpose(1, 2))
        logits, position = self.fc_sed_track1(detection), self.fc_doa_track1(direction)
        return self._every_frame(logits), self._every_frame(position)

    def _every_frame(self, steps: torch.Tensor) -> torch.Tensor:
        return steps.transpose(1, 2).repeat_interleave(self.config.frames_per_step, dim=2)


class _DoubleConv(nn.Module):
    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.double_conv = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.double_conv(x)


def _time_transformer(config: SeldConfig) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(
        config.widths[-1], config.n_heads, config.feed_forward, config.dropout, batch_first=True
    )
    return nn.TransformerEncoder(layer, config.n_layers, enable_nested_tensor=False)


def _log_levels(features: torch.Tensor) -> torch.Tensor:
    levels = (torch.log(features[:, :2] + _QUIET) - _LOG_CENTRE) / _LOG_RANGE
    return torch.cat([levels, torch.cos(features[:, 2:])], dim=1)


def _exchange(stitch: torch.Tensor, sed: torch.Tensor, doa: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    weight = stitch[:, :, :, None, None]
    sed = weight[:, 0, 0] * sed + weight[:, 0, 1] * doa
    # The official order: the position branch receives the activity branch as just updated.
    doa = weight[:, 1, 0] * sed + weight[:, 1, 1] * doa
    return sed, doa


def fill_exceptions(module: nn.Module) -> dict[str, np.ndarray]:
    """State dict keys whose arrays ``fill_deterministic`` must take from here, so that filled nets report events."""
    state = module.state_dict()

    def normal(key: str) -> np.ndarray:
        return normal_array(key, tuple(state[key].shape), FILL_SALT)

    exceptions = {key: np.float32(0.5) + np.float32(0.1) * normal(key) for key in ("stitch1", "stitch2", "stitch3")}
    for key, gain in (("fc_sed_track1.weight", 8.0), ("fc_doa_track1.weight", 3.0)):
        exceptions[key] = normal(key) * np.float32(gain / np.sqrt(state[key].shape[1]))
    exceptions["fc_sed_track1.bias"] = np.array(FILL_BIAS_SED, np.float32)
    exceptions["fc_doa_track1.bias"] = np.array(FILL_BIAS_DOA, np.float32)
    return exceptions
