"""Which blocks the multimodal UNet has, in which order, and what each of them is given."""

from collections.abc import Iterator

from torch import nn

from savg_ray.networks.cross_attention import CrossAttention
from savg_ray.networks.mm_residual import Resampling, ResidualBlock
from savg_ray.networks.unet_config import MMUNetConfig

_N_DILATIONS = 10
_WINDOWS_WITH_A_MIDDLE_ONE = (1, 4, 8)


class Wiring:
    """Blocks in the order of the official network; counts channels, rate and audio dilations on the way."""

    def __init__(self, config: MMUNetConfig) -> None:
        self.config = config
        self.channels = config.base_channels * config.multipliers[0]
        self.rate = 1
        self.dilation = 1
        self.skip_channels = [self.channels]

    def encoder(self) -> Iterator[nn.ModuleList]:
        """Levels from the finest on: residual blocks, with cross-attention where asked for, then one that halves."""
        for level, multiplier in enumerate(self.config.multipliers):
            for _ in range(self.config.n_res_blocks):
                blocks = [self._residual(self.channels, self.config.base_channels * multiplier), *self._cross()]
                self.dilation += 1
                self.skip_channels.append(self.channels)
                yield nn.ModuleList(blocks)
            if level < len(self.config.multipliers) - 1:
                yield nn.ModuleList([self._residual(self.channels, self.channels, "down")])
                self.dilation += 1
                self.skip_channels.append(self.channels)
                self.rate *= 2

    def middle(self) -> nn.ModuleList:
        """The official code puts a cross-attention over all frames between the two only for windows 1, 4, 8."""
        first = self._residual(self.channels, self.channels, attention=True)
        cross = [self._cross_attention(self.config.n_packed_frames, shifted=False)]
        if self.config.cross_attention_windows != _WINDOWS_WITH_A_MIDDLE_ONE:
            cross = []
        last = self._residual(self.channels, self.channels, attention=True)
        self.dilation -= 1
        return nn.ModuleList([first, *cross, last])

    def decoder(self) -> Iterator[nn.ModuleList]:
        """Levels from the coarsest on: blocks that read the encoder's results, then one that doubles."""
        for level, multiplier in reversed(list(enumerate(self.config.multipliers))):
            for i in range(self.config.n_res_blocks + 1):
                in_channels = self.channels + self.skip_channels.pop()
                blocks = [self._residual(in_channels, self.config.base_channels * multiplier), *self._cross()]
                self.dilation -= 1
                if level and i == self.config.n_res_blocks:
                    blocks.append(self._residual(self.channels, self.channels, "up"))
                    self.rate //= 2
                yield nn.ModuleList(blocks)

    def _residual(
        self, in_channels: int, out_channels: int, resampling: Resampling = None, attention: bool = False
    ) -> ResidualBlock:
        self.channels = out_channels
        config, here = self.config, resampling is None
        return ResidualBlock(
            in_channels,
            out_channels,
            config.base_channels,
            audio_dilation=2 ** (self.dilation % _N_DILATIONS),
            scale_shift=config.scale_shift,
            dropout=config.dropout,
            n_heads=config.n_heads,
            resampling=resampling,
            video_attention=attention or (here and self.rate in config.video_attention_rates),
            audio_attention=attention or (here and self.rate in config.audio_attention_rates),
        )

    def _cross(self) -> list[CrossAttention]:
        if self.rate not in self.config.cross_attention_rates:
            return []
        window = self.config.cross_attention_windows[self.config.cross_attention_rates.index(self.rate)]
        return [self._cross_attention(window, self.config.cross_attention_shift)]

    def _cross_attention(self, window: int, shifted: bool) -> CrossAttention:
        head_channels = self.config.head_channels
        n_heads = self.channels // head_channels if head_channels else self.config.n_heads
        return CrossAttention(self.channels, n_heads, window, shifted)
