"""The super-resolution UNet (guided-diffusion's upsampler): one picture at a time from 64 to 256 pixels."""

from collections.abc import Iterator
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from savg_ray.errors import UserError
from savg_ray.networks.packing import packed_pictures, unpacked_pictures
from savg_ray.networks.unet_config import SRUNetConfig
from savg_ray.networks.unet_parts import (
    GroupNorm,
    ImageConv,
    SelfAttention,
    TimeEmbedding,
    TimeLinear,
    doubled,
    halved,
    silu,
    zeroed,
)

Resampling = Literal["down", "up"] | None

_EMBEDDING_FACTOR = 4


class SRUNet(nn.Module):
    """Noise and variance of a picture, given its small version (Dhariwal and Nichol 2021).

    The state dict is the official one; ``SRUNetConfig.official()`` has 311 027 910 parameters.
    """

    def __init__(self, config: SRUNetConfig) -> None:
        super().__init__()
        self.config = config
        first = config.base_channels * config.multipliers[0]
        self.time_embed = TimeEmbedding(config.base_channels, _EMBEDDING_FACTOR * config.base_channels)
        wiring = _Wiring(config)
        channels = config.image_channels * config.patch_px**2
        first_conv = ImageConv(2 * channels, first, 3, padding=1)
        self.input_blocks = nn.ModuleList([nn.ModuleList([first_conv]), *wiring.encoder()])
        self.middle_block = wiring.middle()
        self.output_blocks = nn.ModuleList(wiring.decoder())
        n_outputs = channels * (2 if config.learned_variance else 1)
        self.out = nn.Sequential(GroupNorm(first), nn.SiLU(), zeroed(ImageConv(first, n_outputs, 3, padding=1)))

    def forward(self, x: Tensor, timesteps: Tensor, low_res: Tensor) -> Tensor:
        """The noise in ``x``, and where between its two bounds the logarithm of the variance lies.

        Args:
            x: (N, 3, H, W), noisy pixels around [-1, 1].
            timesteps: integers or floats (N,), used as they are; (1,) is shared by the batch and embedded once.
            low_res: (N, 3, h, w), pixels in [-1, 1]; made as large as ``x`` by bilinear interpolation.

        Returns:
            (N, 6, H, W) in the dtype of ``x``; 3 channels without a learned variance.

        Raises:
            UserError: a size that the levels cannot halve.
        """
        self.check_sizes(*x.shape[2:])
        larger = F.interpolate(low_res, x.shape[2:], mode="bilinear", align_corners=False)
        embedding = self.time_embed(timesteps)
        h = packed_pictures(torch.cat((x, larger.to(x.dtype)), dim=1), self.config.patch_px)
        h = h.permute(0, 2, 3, 1).contiguous().to(self.out[2].weight.dtype)
        skips = []
        for blocks in self.input_blocks:
            h = self._run(blocks, h, embedding)
            skips.append(h)
        h = self._run(self.middle_block, h, embedding)
        for blocks in self.output_blocks:
            h = self._run(blocks, torch.cat((h, skips.pop()), dim=3), embedding)
        norm, _, conv = self.out
        h = conv(silu(_normalised(norm, h))).permute(0, 3, 1, 2)
        return unpacked_pictures(h, self.config.patch_px).to(x.dtype)

    def check_sizes(self, height_px: int, width_px: int) -> None:
        """Raises UserError, saying what is legal, for pictures that the network cannot take."""
        side = 2 ** (len(self.config.multipliers) - 1) * self.config.patch_px
        if height_px % side or width_px % side or min(height_px, width_px) < side:
            raise UserError(
                f"The super-resolution UNet cannot halve {height_px}×{width_px} pixels at every level: "
                f"height and width must be multiples of {side}."
            )

    def _run(self, blocks: nn.ModuleList, h: Tensor, embedding: Tensor) -> Tensor:
        for block in blocks:
            if isinstance(block, ImageConv):
                h = block(h)
            elif self.config.recompute and torch.is_grad_enabled():
                h = checkpoint(block, h, embedding, use_reentrant=False)
            else:
                h = block(h, embedding)
        return h


def _normalised(norm: GroupNorm, x: Tensor, modulation: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """(N, H, W, C) to the same; statistics over all pixels."""
    return norm(x.flatten(1, 2).unsqueeze(2), modulation).view(x.shape)


class _Residual(nn.Module):
    """Two 3×3 convolutions, the second modulated by time; resampling comes before the first."""

    def __init__(
        self, in_channels: int, out_channels: int, config: SRUNetConfig, resampling: Resampling = None
    ) -> None:
        super().__init__()
        self.resampling = resampling
        self.scale_shift = config.scale_shift
        conv = ImageConv(in_channels, out_channels, 3, padding=1)
        self.in_layers = nn.Sequential(GroupNorm(in_channels), nn.SiLU(), conv)
        n_modulations = 2 if config.scale_shift else 1
        time = TimeLinear(_EMBEDDING_FACTOR * config.base_channels, n_modulations * out_channels)
        self.emb_layers = nn.Sequential(nn.SiLU(), time)
        conv = zeroed(ImageConv(out_channels, out_channels, 3, padding=1))
        self.out_layers = nn.Sequential(GroupNorm(out_channels), nn.SiLU(), nn.Dropout(config.dropout), conv)
        same = in_channels == out_channels
        self.skip_connection = nn.Identity() if same else ImageConv(in_channels, out_channels, 1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """(N, H, W, C) and the embedding (N or 1, E) to (N, H, W, C'), resampled."""
        norm, _, conv = self.in_layers
        h = silu(_normalised(norm, x))
        if self.resampling is not None:
            resampled = halved if self.resampling == "down" else doubled
            h, x = resampled(h), resampled(x)
        h = conv(h)
        time = self.emb_layers(embedding)
        norm, _, dropout, conv = self.out_layers
        if self.scale_shift:
            h = _normalised(norm, h, time.chunk(2, dim=1))
        else:
            h = _normalised(norm, h + time.to(h.dtype)[:, None, None])
        h = conv(dropout(silu(h)))
        return h.add_(self.skip_connection(x))


class _Attention(SelfAttention):
    """Every pixel looks at every other."""

    def __init__(self, channels: int, config: SRUNetConfig) -> None:
        n_heads = channels // config.head_channels if config.head_channels else config.n_heads
        super().__init__(GroupNorm(channels), channels, n_heads, heads_outside=True)

    def forward(self, x: Tensor, _embedding: Tensor) -> Tensor:
        """(N, H, W, C) to the same."""
        return super().forward(x.flatten(1, 2).unsqueeze(2)).view(x.shape)


class _Shrink(nn.Module):
    """A 3×3 convolution with stride 2, where residual blocks do not resample."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = ImageConv(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor, _embedding: Tensor) -> Tensor:
        """(N, H, W, C) to (N, H/2, W/2, C)."""
        return self.op(x)


class _Grow(nn.Module):
    """Repeated pixels through a 3×3 convolution, where residual blocks do not resample."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = ImageConv(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, _embedding: Tensor) -> Tensor:
        """(N, H, W, C) to (N, 2H, 2W, C)."""
        return self.conv(doubled(x))


REPEATED_BLOCKS = (_Residual, _Attention)
"""What nearly all of the network's work is done in."""


class _Wiring:
    """Blocks in the order of the official network; counts channels and rate on the way."""

    def __init__(self, config: SRUNetConfig) -> None:
        self.config = config
        self.channels = config.base_channels * config.multipliers[0]
        self.rate = 1
        self.skip_channels = [self.channels]

    def encoder(self) -> Iterator[nn.ModuleList]:
        """Levels from the finest on: residual blocks, with attention where asked for, then one that halves."""
        for level, multiplier in enumerate(self.config.multipliers):
            for _ in range(self.config.n_res_blocks):
                yield self._level_block(self.channels, multiplier)
                self.skip_channels.append(self.channels)
            if level < len(self.config.multipliers) - 1:
                self.rate *= 2
                self.skip_channels.append(self.channels)
                in_block = self.config.resample_in_blocks
                yield nn.ModuleList([self._resampling_block("down") if in_block else _Shrink(self.channels)])

    def middle(self) -> nn.ModuleList:
        """Residual, attention, residual."""
        c = self.channels
        return nn.ModuleList([_Residual(c, c, self.config), _Attention(c, self.config), _Residual(c, c, self.config)])

    def decoder(self) -> Iterator[nn.ModuleList]:
        """Levels from the coarsest on: blocks that read the encoder's results, then one that doubles."""
        for level, multiplier in reversed(list(enumerate(self.config.multipliers))):
            for i in range(self.config.n_res_blocks + 1):
                blocks = self._level_block(self.channels + self.skip_channels.pop(), multiplier)
                if level and i == self.config.n_res_blocks:
                    self.rate //= 2
                    in_block = self.config.resample_in_blocks
                    blocks.append(self._resampling_block("up") if in_block else _Grow(self.channels))
                yield blocks

    def _level_block(self, in_channels: int, multiplier: int) -> nn.ModuleList:
        self.channels = self.config.base_channels * multiplier
        blocks = nn.ModuleList([_Residual(in_channels, self.channels, self.config)])
        if self.rate in self.config.attention_rates:
            blocks.append(_Attention(self.channels, self.config))
        return blocks

    def _resampling_block(self, resampling: Resampling) -> _Residual:
        return _Residual(self.channels, self.channels, self.config, resampling)
