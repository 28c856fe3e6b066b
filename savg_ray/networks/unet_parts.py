"""What both diffusion networks are built from, on tensors whose channels come last.

Maps are (N, T, S, C): normalisation and attention look along T, each of the S places by itself. An image is
(N, H·W, 1, C); frames of a video seen pixel by pixel are (N, F, H·W, C). Nothing is copied to change the view.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from savg_ray.networks.winograd import convolved_3x3, worth_it

N_GROUPS = 32

_PIECE_ELEMENTS = 2**17
_PIECE_ELEMENTS_OF_THREADS = 2**21


class GroupNorm(nn.GroupNorm):
    """GroupNorm with 32 groups and eps 1e-5 whose statistics are float32 or finer, whatever the input is."""

    def __init__(self, channels: int) -> None:
        super().__init__(N_GROUPS, channels)

    def forward(self, x: Tensor, modulation: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """(N, T, S, C) normalised over T and the channels of a group, for every (n, s).

        ``modulation`` is (scale, shift), each (N or 1, C): the result is multiplied by 1 + scale, then shifted.
        """
        by_pieces = x.device.type == "cpu" and not torch.compiler.is_compiling()
        mean, variance = _moments(x) if by_pieces else _moments_in_one_pass(x)
        rstd = (variance + self.eps).rsqrt().float().unsqueeze(-1)
        gain = rstd * self.weight.float().unflatten(0, (N_GROUPS, -1))
        bias = self.bias.float().unflatten(0, (N_GROUPS, -1))
        offset = torch.addcmul(bias, mean.float().unsqueeze(-1), gain, value=-1).flatten(2)
        gain = gain.flatten(2)
        if modulation is not None:
            scale, shift = (part.float()[:, None] for part in modulation)
            gain, offset = gain * (1 + scale), torch.addcmul(shift, offset, 1 + scale)
        return _scaled(x, gain[:, None], offset[:, None])


def _scaled(x: Tensor, gain: Tensor, offset: Tensor) -> Tensor:
    """``x · gain + offset``, reckoned in float32, in the dtype of ``x``: no larger copy of ``x`` is made on a GPU."""
    if torch.is_grad_enabled() or torch.compiler.is_compiling():
        return torch.addcmul(offset, x, gain).to(x.dtype)
    return torch.addcmul(offset, x, gain, out=torch.empty_like(x))


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance (N, S, groups) in float64, from float32 sums over pieces.

    One thread takes pieces that fit into a cache, several take larger ones, because they wait for each other at every
    end.

    PyTorch's own sums in channels-last order lose two digits on long clips, and its Welford loop is ten times as
    slow. Every sample is summed alone, so that its batch mates cannot move a bit.
    """
    n, t, s, c = x.shape
    dim, row = (0, c) if s == 1 else (1, t * c)
    rows = max(1, (_PIECE_ELEMENTS if torch.get_num_threads() == 1 else _PIECE_ELEMENTS_OF_THREADS) // row)
    sums = torch.cat([_sums(piece) for sample in x for piece in sample.split(rows, dim)], dim=1)
    totals = sums.view(2, n, -1, s, N_GROUPS, c // N_GROUPS).sum(dim=(2, 5), dtype=torch.float64)
    mean, mean_square = totals / (t * c // N_GROUPS)
    return mean, (mean_square - mean * mean).clamp(min=0)


def _sums(piece: Tensor) -> Tensor:
    piece = piece.float()
    return torch.stack((piece.sum(0), piece.square().sum(0)))


def _moments_in_one_pass(x: Tensor) -> tuple[Tensor, Tensor]:
    grouped = x.unflatten(-1, (N_GROUPS, -1))
    if x.dtype == torch.float32 or torch.compiler.is_compiling():
        variance, mean = torch.var_mean(grouped.float(), dim=(1, 4), correction=0)
        return mean, variance
    # GPUs sum half precision in float32 as they read it; for the variance PyTorch would write a float32 copy first.
    n = x.shape[1] * grouped.shape[-1]
    mean = grouped.mean((1, 4), dtype=torch.float32)
    root = torch.linalg.vector_norm(grouped, dim=(1, 4), dtype=torch.float32)
    return mean, torch.addcmul(root.square() / n, mean, mean, value=-1).clamp(min=0)


def silu(x: Tensor) -> Tensor:
    """SiLU of a tensor that the caller does not read again: it is overwritten where no gradient asks for it."""
    return F.silu(x, inplace=not torch.is_grad_enabled())


def pointwise(conv: nn.Conv1d | nn.Conv2d | nn.Conv3d, x: Tensor) -> Tensor:
    """A convolution with kernel 1: (..., C) to (..., C')."""
    return multiplied(x, conv.weight.flatten(1), conv.bias)


def multiplied(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``F.linear``: (..., C) times (C', C), plus the bias."""
    if not on_plain_cpu(x):
        return F.linear(x, weight, bias)
    # oneDNN's convolution adds the bias on the way, which saves a fifth of the time.
    rows = x.reshape(1, -1, 1, x.shape[-1])
    return convolved(rows, weight[:, :, None, None], bias).reshape(*x.shape[:-1], -1)


class ImageConv(nn.Conv2d):
    """``nn.Conv2d`` on (N, H, W, C)."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, H, W, C) to (N, H', W', C')."""
        return convolved(x, self.weight, self.bias, self.padding, self.stride)


def convolved(
    x: Tensor,
    kernel: Tensor,
    bias: Tensor,
    padding: tuple[int, ...] = (0, 0),
    stride: tuple[int, ...] = (1, 1),
) -> Tensor:
    """(N, ..., C) with a kernel (C', C, ...) over two or three dimensions, without leaving channels-last order.

    On a CPU by Winograd's way or by oneDNN: PyTorch takes another way for small batches, and the last bits of a
    result would depend on its batch mates.
    """
    if kernel.shape[2:] == (3, 3) and stride == padding == (1, 1) and on_plain_cpu(x) and worth_it(x, kernel):
        return convolved_3x3(x, kernel, bias)
    x = x.movedim(-1, 1)
    if on_plain_cpu(x):
        out = torch.mkldnn_convolution(x, kernel, bias, padding, stride, (1,) * len(stride), 1)
    else:
        convolution = F.conv2d if len(stride) == 2 else F.conv3d
        out = convolution(x, kernel, bias, stride, padding)
    return out.movedim(1, -1)


def on_plain_cpu(x: Tensor) -> bool:
    """Whether shortcuts that know neither gradients nor autocast nor the compiler may be taken."""
    if torch.compiler.is_compiling():
        return False
    plain = x.device.type == "cpu" and x.dtype == torch.float32 and torch.backends.mkldnn.is_available()
    return plain and not torch.is_grad_enabled() and not torch.is_autocast_enabled("cpu")


def halved(x: Tensor) -> Tensor:
    """(N, H, W, C) to (N, H/2, W/2, C), the mean of each 2×2."""
    return F.avg_pool2d(x.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)


def doubled(x: Tensor) -> Tensor:
    """(N, H, W, C) to (N, 2H, 2W, C), each pixel repeated."""
    return F.interpolate(x.permute(0, 3, 1, 2), scale_factor=2.0, mode="nearest").permute(0, 2, 3, 1)


def zeroed(module: nn.Module) -> nn.Module:
    """The module with zeros for parameters, as training starts the last layer of every residual branch."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module


class TimeLinear(nn.Linear):
    """A linear layer whose rows do not depend, to the last bit, on how many there are."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C) to (N, C')."""
        return multiplied(x, self.weight, self.bias)


class TimeEmbedding(nn.Sequential):
    """Timesteps (B,), integers or floats as they are, to their embedding (B, out_width)."""

    def __init__(self, width: int, out_width: int) -> None:
        super().__init__(TimeLinear(width, out_width), nn.SiLU(), TimeLinear(out_width, out_width))

    def forward(self, timesteps: Tensor) -> Tensor:
        """(B,) to (B, out_width) in the dtype of the weights."""
        first = self[0]
        return super().forward(timestep_waves(timesteps, first.in_features).to(first.weight.dtype))


def timestep_waves(timesteps: Tensor, width: int) -> Tensor:
    """Timesteps (B,), integers or floats as they are, to cosines then sines, float32 (B, width).

    Frequencies fall geometrically from 1 to nearly 1/10000 (guided-diffusion, ``timestep_embedding``).
    """
    half = width // 2
    exponents = torch.arange(half, dtype=torch.float32, device=timesteps.device) / half
    angles = timesteps.float()[:, None] * torch.exp(-math.log(10000) * exponents)
    return torch.cat((angles.cos(), angles.sin()), dim=1)


def attended(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Softmax attention of queries (..., T, D) over keys and values (..., S, D), to (..., T, D).

    Training in bfloat16 on a CPU multiplies plainly: the fused kernel's backward pass takes up to seven times as long
    on windows of a few dozen places.
    """
    low_precision = torch.is_autocast_enabled("cpu") or q.dtype == torch.bfloat16
    if q.device.type == "cpu" and low_precision and torch.is_grad_enabled():
        return torch.softmax((q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2), dim=-1) @ v
    return F.scaled_dot_product_attention(q, k, v)


class SelfAttention(nn.Module):
    """Multi-head attention of every place along T, with a residual.

    ``heads_outside`` tells how the 3C channels of ``qkv`` are laid out: head by head, each with its q, k and v
    (guided-diffusion), or all of q, then k, then v, each with its heads.
    """

    def __init__(self, norm: nn.Module, channels: int, n_heads: int, heads_outside: bool) -> None:
        super().__init__()
        self.norm = norm
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = zeroed(nn.Conv1d(channels, channels, 1))
        self.n_heads = n_heads
        self.heads_outside = heads_outside

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, S, C) to the same."""
        n, _, s, c = x.shape
        qkv = pointwise(self.qkv, self.norm(x))
        if self.heads_outside:
            parts = qkv.unflatten(-1, (self.n_heads, 3, -1)).unbind(4)
        else:
            parts = qkv.unflatten(-1, (3, self.n_heads, -1)).unbind(3)
        q, k, v = (part.permute(0, 2, 3, 1, 4).flatten(0, 1) for part in parts)
        looked_up = attended(q, k, v).transpose(1, 2).reshape(n, s, -1, c)
        return x + pointwise(self.proj_out, looked_up).transpose(1, 2)
