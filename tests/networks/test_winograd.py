import pytest
import torch
import torch.nn.functional as F

from savg_ray.networks.winograd import convolved_3x3, worth_it


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [(2, 2), (2, 6), (4, 4), (6, 10), (20, 16), (16, 50)])
@pytest.mark.parametrize("channels", [(5, 3), (8, 8), (64, 2)])
def test_against_the_sum_of_products(size, channels):
    x, kernel, bias = randn(3, *size, channels[0]), randn(channels[1], channels[0], 3, 3, seed=1), randn(channels[1])
    expected = F.conv2d(x.double().permute(0, 3, 1, 2), kernel.double(), bias.double(), padding=1)
    out = convolved_3x3(x, kernel, bias)
    assert out.shape == (3, *size, channels[1])
    assert out.is_contiguous()
    torch.testing.assert_close(out.double(), expected.permute(0, 2, 3, 1), rtol=0, atol=1e-4)


def test_nearer_to_the_exact_result_than_float32_needs():
    x, kernel, bias = randn(1, 32, 32, 256), randn(32, 256, 3, 3, seed=1) / 48, randn(32)
    expected = F.conv2d(x.double().permute(0, 3, 1, 2), kernel.double(), bias.double(), padding=1)
    assert (convolved_3x3(x, kernel, bias) - expected.permute(0, 2, 3, 1)).abs().max() < 5e-6


def test_images_do_not_depend_on_their_batch_mates():
    x, kernel, bias = randn(4, 8, 12, 16), randn(16, 16, 3, 3, seed=1), randn(16)
    assert torch.equal(convolved_3x3(x, kernel, bias)[2:3], convolved_3x3(x[2:3], kernel, bias))


@pytest.mark.parametrize(
    ("size", "channels", "worth"),
    [
        ((32, 32), (64, 64), True),
        ((16, 64), (32, 32), True),
        ((33, 64), (64, 64), False),
        ((64, 33), (64, 64), False),
        ((16, 32), (64, 64), False),
        ((64, 64), (3, 64), False),
        ((64, 64), (64, 3), False),
    ],
)
def test_where_it_pays(size, channels, worth):
    kernel = torch.empty(channels[1], channels[0], 3, 3, device="meta")
    for n in (1, 20):
        assert worth_it(torch.empty(n, *size, channels[0], device="meta"), kernel) == worth
