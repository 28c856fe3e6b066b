"""What YOLOX is put together from, at any width: CSP backbone, path aggregation, decoupled head."""

import math
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from savg_ray.networks.convolution import convolve

STRIDES = (8, 16, 32)
# What classes and objectness say before anything is learnt: most cells hold nothing (Lin et al. 2017).
_PRIOR_LOGIT = -math.log((1 - 0.01) / 0.01)


class LevelOutputs(NamedTuple):
    """Head outputs of one stride: classes (N, K, h, w), box (N, 4, h, w), objectness (N, 1, h, w), not activated."""

    cls: torch.Tensor
    reg: torch.Tensor
    obj: torch.Tensor


class _ConvUnit(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(out_channels, eps=1e-3, momentum=0.03)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.silu(self.bn(convolve(self.conv, x)), inplace=True)


class _Focus(nn.Module):
    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = _ConvUnit(4 * in_channels, out_channels, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        even, odd = x[..., ::2], x[..., 1::2]
        corners = (even[..., ::2, :], even[..., 1::2, :], odd[..., ::2, :], odd[..., 1::2, :])
        return self.conv(torch.cat(corners, dim=1))


class _Bottleneck(nn.Module):
    def __init__(self, channels: int, add: bool) -> None:
        super().__init__()
        self.conv1 = _ConvUnit(channels, channels, 1)
        self.conv2 = _ConvUnit(channels, channels, 3)
        self.add = add

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv2(self.conv1(x))
        return x + y if self.add else y


class _Csp(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, n_blocks: int, add: bool = False) -> None:
        super().__init__()
        middle = out_channels // 2
        self.main_conv = _ConvUnit(in_channels, middle, 1)
        self.short_conv = _ConvUnit(in_channels, middle, 1)
        self.final_conv = _ConvUnit(2 * middle, out_channels, 1)
        self.blocks = nn.Sequential(*(_Bottleneck(middle, add) for _ in range(n_blocks)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.final_conv(torch.cat([self.blocks(self.main_conv(x)), self.short_conv(x)], dim=1))


class _SpatialPyramidPool(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = _ConvUnit(channels, channels // 2, 1)
        self.conv2 = _ConvUnit(2 * channels, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv1(x)
        pooled = [F.max_pool2d(x, size, stride=1, padding=size // 2) for size in (5, 9, 13)]
        return self.conv2(torch.cat([x, *pooled], dim=1))


class Backbone(nn.Module):
    """CSPDarknet: pictures (N, 3, H, W) to features at strides 8, 16, 32.

    Args:
        channels: of the stem and of the four stages.
        n_blocks: bottlenecks of each stage.
    """

    def __init__(self, channels: tuple[int, int, int, int, int], n_blocks: tuple[int, int, int, int]) -> None:
        super().__init__()
        c0, c1, c2, c3, c4 = channels
        n1, n2, n3, n4 = n_blocks
        self.stem = _Focus(3, c0)
        self.stage1 = nn.Sequential(_ConvUnit(c0, c1, 3, 2), _Csp(c1, c1, n1, add=True))
        self.stage2 = nn.Sequential(_ConvUnit(c1, c2, 3, 2), _Csp(c2, c2, n2, add=True))
        self.stage3 = nn.Sequential(_ConvUnit(c2, c3, 3, 2), _Csp(c3, c3, n3, add=True))
        self.stage4 = nn.Sequential(_ConvUnit(c3, c4, 3, 2), _SpatialPyramidPool(c4), _Csp(c4, c4, n4))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Features of the last three stages."""
        fine = self.stage2(self.stage1(self.stem(x)))
        middle = self.stage3(fine)
        return fine, middle, self.stage4(middle)


class Neck(nn.Module):
    """YOLOX-PAFPN: features of three strides, each told of the others.

    Args:
        channels: of the features, fine to coarse.
        n_blocks: bottlenecks of each block.
        width: channels of what leaves it, the same at every stride.
    """

    def __init__(self, channels: tuple[int, int, int], n_blocks: int, width: int) -> None:
        super().__init__()
        fine, middle, coarse = channels
        self.reduce_layers = nn.ModuleList([_ConvUnit(coarse, middle, 1), _ConvUnit(middle, fine, 1)])
        self.top_down_blocks = nn.ModuleList([_Csp(2 * middle, middle, n_blocks), _Csp(2 * fine, fine, n_blocks)])
        self.downsamples = nn.ModuleList([_ConvUnit(fine, fine, 3, 2), _ConvUnit(middle, middle, 3, 2)])
        self.bottom_up_blocks = nn.ModuleList([_Csp(2 * fine, middle, n_blocks), _Csp(2 * middle, coarse, n_blocks)])
        self.out_convs = nn.ModuleList(_ConvUnit(c, width, 1) for c in channels)

    def forward(self, levels: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> list[torch.Tensor]:
        """Features (N, width, h, w) at strides 8, 16, 32."""
        fine, middle, coarse = levels
        coarse = self.reduce_layers[0](coarse)
        middle = self.top_down_blocks[0](torch.cat([F.interpolate(coarse, scale_factor=2), middle], dim=1))
        middle = self.reduce_layers[1](middle)
        fine = self.top_down_blocks[1](torch.cat([F.interpolate(middle, scale_factor=2), fine], dim=1))
        middle = self.bottom_up_blocks[0](torch.cat([self.downsamples[0](fine), middle], dim=1))
        coarse = self.bottom_up_blocks[1](torch.cat([self.downsamples[1](middle), coarse], dim=1))
        return [conv(x) for conv, x in zip(self.out_convs, (fine, middle, coarse), strict=True)]


class Head(nn.Module):
    """Decoupled head: at every stride, classes from one branch, box and objectness from another.

    Args:
        width: channels of the features that come in.
        n_classes: of the objects.
    """

    def __init__(self, width: int, n_classes: int) -> None:
        super().__init__()
        self.multi_level_cls_convs = nn.ModuleList(_two_convs(width) for _ in STRIDES)
        self.multi_level_reg_convs = nn.ModuleList(_two_convs(width) for _ in STRIDES)
        self.multi_level_conv_cls = nn.ModuleList(nn.Conv2d(width, n_classes, 1) for _ in STRIDES)
        self.multi_level_conv_reg = nn.ModuleList(nn.Conv2d(width, 4, 1) for _ in STRIDES)
        self.multi_level_conv_obj = nn.ModuleList(nn.Conv2d(width, 1, 1) for _ in STRIDES)
        for conv in (*self.multi_level_conv_cls, *self.multi_level_conv_obj):
            nn.init.constant_(conv.bias, _PRIOR_LOGIT)

    def forward(self, levels: list[torch.Tensor]) -> list[LevelOutputs]:
        """Outputs of each stride."""
        outputs = []
        for i, x in enumerate(levels):
            cls, reg = self.multi_level_cls_convs[i](x), self.multi_level_reg_convs[i](x)
            convs = (self.multi_level_conv_cls[i], self.multi_level_conv_reg[i], self.multi_level_conv_obj[i])
            outputs.append(LevelOutputs(*map(convolve, convs, (cls, reg, reg))))
        return outputs


def _two_convs(width: int) -> nn.Sequential:
    return nn.Sequential(_ConvUnit(width, width, 3), _ConvUnit(width, width, 3))
