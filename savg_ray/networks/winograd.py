"""3×3 convolutions in 4/9 of the multiplications, on a CPU and in channels-last order."""

import torch
import torch.nn.functional as F
from torch import Tensor

_KERNEL_SIDE = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]], device="cpu")

_ELEMENTS_OF_THREADS = 2**22


def worth_it(x: Tensor, kernel: Tensor) -> bool:
    """Whether images have the sizes, and enough pixels and channels, to pay for the transformations.

    The number of images has no say in it, so that results do not depend on batch mates.
    """
    even = x.shape[1] % 2 == 0 and x.shape[2] % 2 == 0
    return even and x.shape[1] * x.shape[2] >= 32 * 32 and min(kernel.shape[:2]) >= 32


def convolved_3x3(x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """Stride 1 and one row of zeros around, without gradients: Winograd's F(2×2, 3×3) (Lavin and Gray 2016).

    Every 2×2 of the result comes from a 4×4 of the image: 16 products of transformed pixels and kernels, each a
    matrix product over channels. Work goes strip by strip, so that what is in between stays in the caches.

    Args:
        x: float32 (N, H, W, C), H and W even.
        kernel: (C', C, 3, 3).
        bias: (C',).

    Returns:
        (N, H, W, C').
    """
    n, h, w, c = x.shape
    factors = _factors(kernel)
    out = x.new_empty(n, h, w, len(kernel))
    rows = _rows_of_a_strip(h, w, c)
    for image, result in zip(x, out, strict=True):
        for top in range(0, h, rows):
            first, end = max(top - 1, 0), min(top + rows + 1, h)
            strip = F.pad(image[first:end], (0, 0, 1, 1, first - top + 1, top + rows + 1 - end))
            products = torch.bmm(_transformed(strip), factors)
            _write_transformed_back(products, bias, result[top : top + rows])
    return out


def _factors(kernel: Tensor) -> Tensor:
    """Kernels (C', C, 3, 3) to a view (16, C, C') of what multiplies the transformed pixels."""
    both_sides = torch.kron(_KERNEL_SIDE, _KERNEL_SIDE)
    return torch.mm(both_sides, kernel.reshape(-1, 9).t()).view(16, *kernel.shape[:2]).transpose(1, 2)


def _rows_of_a_strip(h: int, w: int, c: int) -> int:
    """About as many 2×2 tiles as channels: matrix products want many, caches few. Threads want to meet seldom."""
    n_tiles = c if torch.get_num_threads() == 1 else _ELEMENTS_OF_THREADS // (16 * c)
    tile_rows = max(1, min(h // 2, n_tiles // (w // 2)))
    while (h // 2) % tile_rows:
        tile_rows -= 1
    return 2 * tile_rows


def _transformed(strip: Tensor) -> Tensor:
    """A strip with its border (2R + 2, 2S + 2, C) to (16, R · S, C)."""
    rows, columns, c = strip.shape[0] // 2 - 1, strip.shape[1] // 2 - 1, strip.shape[2]
    half = strip.new_empty(4, rows, strip.shape[1], c)
    _combine(strip[:-2:2], strip[1:-1:2], strip[2::2], strip[3::2], half)
    whole = strip.new_empty(4, 4, rows, columns, c)
    _combine(half[:, :, :-2:2], half[:, :, 1:-1:2], half[:, :, 2::2], half[:, :, 3::2], whole.transpose(0, 1))
    return whole.view(16, rows * columns, c)


def _combine(a: Tensor, b: Tensor, c: Tensor, d: Tensor, out: Tensor) -> None:
    torch.sub(a, c, out=out[0])
    torch.add(b, c, out=out[1])
    torch.sub(c, b, out=out[2])
    torch.sub(b, d, out=out[3])


def _write_transformed_back(products: Tensor, bias: Tensor, out: Tensor) -> None:
    """(16, R · S, C') and the bias to pixels ``out`` (2R, 2S, C')."""
    tiles = out.view(out.shape[0] // 2, 2, out.shape[1] // 2, 2, out.shape[2])
    lines = products.view(4, 4, tiles.shape[0], tiles.shape[2], tiles.shape[4])
    for i, (a, b, c, d) in enumerate((_pair(lines, 0), _pair(lines, 1))):
        torch.add(a, b, out=tiles[:, i, :, 0]).add_(c).add_(bias)
        torch.sub(b, c, out=tiles[:, i, :, 1]).sub_(d).add_(bias)


def _pair(lines: Tensor, i: int) -> Tensor:
    """The upper (0) or lower (1) line of every tile, its columns still transformed."""
    if i == 0:
        return (lines[0] + lines[1]).add_(lines[2])
    return (lines[1] - lines[2]).sub_(lines[3])
