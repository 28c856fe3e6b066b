"""The faster way to a convolution gives what the layer itself gives."""

import pytest
import torch
from torch import nn

from savg_ray.networks.convolution import channels_last_on_cpu, convolve

CASES = [
    (nn.Conv2d(6, 8, 1, bias=False), (1, 6, 9, 11)),
    (nn.Conv2d(6, 8, 3, stride=2, padding=1), (2, 6, 9, 11)),
    (nn.Conv2d(8, 8, (1, 5), padding=(0, 2), groups=8), (1, 8, 7, 12)),
    (nn.Conv3d(4, 6, 3, padding=1, bias=False), (1, 4, 3, 8, 9)),
    (nn.Conv3d(3, 5, 7, stride=2), (1, 3, 8, 15, 14)),
]


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize(("conv", "shape"), CASES)
def test_values_and_gradients(conv, shape, channels_last):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    if channels_last:
        x = channels_last_on_cpu(x)
    expected_x, actual_x = (x.clone().requires_grad_() for _ in range(2))
    expected, actual = conv(expected_x), convolve(conv, actual_x)
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-5)
    weight = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1))
    gradients = [
        torch.autograd.grad((y * weight).sum(), (inputs, *conv.parameters()))
        for y, inputs in ((expected, expected_x), (actual, actual_x))
    ]
    for ours, plain in zip(gradients[1], gradients[0], strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-4)


def test_the_same_call_gives_the_same_bits():
    conv, shape = CASES[0]
    x = channels_last_on_cpu(torch.randn(shape))
    assert torch.equal(convolve(conv, x), convolve(conv, x))


def test_autocast_is_respected():
    conv, shape = CASES[0]
    with torch.autocast("cpu", torch.bfloat16):
        assert convolve(conv, torch.randn(shape)).dtype == torch.bfloat16


def test_float64_stays_float64():
    conv = nn.Conv2d(2, 3, 1).double()
    x = torch.randn(1, 2, 4, 4, dtype=torch.float64)
    assert torch.equal(convolve(conv, x), conv(x))


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 3, 4, 5, 6)])
def test_channels_last_changes_the_order_in_memory_and_no_value(shape):
    x = torch.randn(shape)
    y = channels_last_on_cpu(x)
    assert torch.equal(x, y)
    assert y.stride(1) == 1
