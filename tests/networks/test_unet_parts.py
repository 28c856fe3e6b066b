import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from savg_ray.networks.unet_parts import (
    GroupNorm,
    ImageConv,
    SelfAttention,
    TimeLinear,
    _moments,
    _moments_in_one_pass,
    doubled,
    halved,
    pointwise,
    timestep_waves,
    zeroed,
)


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def random_norm(channels):
    norm = GroupNorm(channels)
    with torch.no_grad():
        norm.weight.copy_(1 + 0.1 * randn(channels, seed=1))
        norm.bias.copy_(0.1 * randn(channels, seed=2))
    return norm


def reference_norm(norm, x):
    """PyTorch's own group norm in float64, place by place."""
    n, t, s, c = x.shape
    places = x.double().permute(0, 2, 3, 1).reshape(n * s, c, t)
    out = F.group_norm(places, 32, norm.weight.double(), norm.bias.double(), norm.eps)
    return out.view(n, s, c, t).permute(0, 3, 1, 2)


@pytest.mark.parametrize("shape", [(2, 5, 1, 32), (1, 5000, 1, 64), (3, 7, 4, 96), (1, 4, 3000, 64)])
def test_group_norm(shape):
    norm, x = random_norm(shape[-1]), 2 + 3 * randn(*shape)
    torch.testing.assert_close(norm(x).double(), reference_norm(norm, x), rtol=0, atol=1e-5)


def test_group_norm_is_exact_on_long_clips_with_an_offset():
    norm = random_norm(32)
    x = randn(1, 60000, 1, 32) + 5 * randn(32, seed=3)
    assert (norm(x) - reference_norm(norm, x)).abs().max() < 1e-5


def test_group_norm_with_modulation():
    norm, x = random_norm(64), randn(2, 9, 1, 64)
    scale, shift = randn(2, 64, seed=4), randn(2, 64, seed=5)
    expected = reference_norm(norm, x) * (1 + scale[:, None, None].double()) + shift[:, None, None]
    torch.testing.assert_close(norm(x, (scale, shift)).double(), expected, rtol=0, atol=3e-6)
    shared = norm(x, (scale[:1], shift[:1]))
    assert torch.equal(shared[0], norm(x, (scale, shift))[0])


def test_group_norm_of_a_constant():
    norm = random_norm(32)
    expected = norm.bias.expand(1, 6, 1, 32)
    torch.testing.assert_close(norm(torch.full((1, 6, 1, 32), 3.0)), expected, rtol=0, atol=1e-4)


def test_group_norm_statistics_are_finer_than_bfloat16():
    norm = random_norm(32)
    x = (randn(1, 4000, 1, 32) + 20).bfloat16()
    normalised = norm.to(torch.bfloat16)(x)
    assert normalised.dtype == torch.bfloat16
    # bfloat16 steps near 1 are 1/128; statistics in bfloat16 would be off by several tenths here.
    assert (normalised - reference_norm(norm, x)).abs().max() < 0.03


def test_both_ways_to_moments_agree():
    x = 1 + randn(2, 300, 3, 64)
    for ours, theirs in zip(_moments(x), _moments_in_one_pass(x), strict=True):
        torch.testing.assert_close(ours.float(), theirs, rtol=1e-5, atol=1e-6)


def test_half_precision_is_summed_in_float32_without_a_copy_of_it():
    x = (3 + randn(2, 300, 3, 64)).bfloat16()
    for ours, theirs in zip(_moments_in_one_pass(x), _moments(x), strict=True):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours, theirs.float(), rtol=1e-4, atol=1e-5)


def test_gradients_of_a_group_norm_in_half_precision():
    norm, weight = random_norm(32), randn(2, 40, 3, 32).flip(0, 1)
    found = {}
    for dtype in (torch.float32, torch.bfloat16):
        x = randn(2, 40, 3, 32).bfloat16().to(dtype).requires_grad_()
        out = norm(x)
        assert out.dtype == dtype
        (out.float() * weight).sum().backward()
        found[dtype] = x.grad.float()
        assert x.grad.dtype == dtype
    assert (found[torch.bfloat16] - found[torch.float32]).abs().max() < 0.02 * found[torch.float32].abs().max()


def test_timestep_waves():
    waves = timestep_waves(torch.tensor([0, 250.5]), 8)
    angles = [250.5 * math.exp(-math.log(10000) * i / 4) for i in range(4)]
    expected = [[1] * 4 + [0] * 4, [math.cos(x) for x in angles] + [math.sin(x) for x in angles]]
    torch.testing.assert_close(waves, torch.tensor(expected), rtol=0, atol=2e-5)


@pytest.mark.parametrize("record", [True, False])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (1, 1)])
def test_image_conv(kernel, stride, record):
    conv, x = ImageConv(6, 10, kernel, stride=stride, padding=kernel // 2), randn(2, 8, 12, 6)
    expected = nn.Conv2d.forward(conv, x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    with torch.set_grad_enabled(record):
        out = conv(x)
    assert out.requires_grad == record
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("record", [True, False])
def test_image_conv_on_many_pixels(record):
    conv, x = ImageConv(32, 40, 3, padding=1), randn(1, 32, 34, 32)
    expected = nn.Conv2d.forward(conv, x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    with torch.set_grad_enabled(record):
        torch.testing.assert_close(conv(x), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("record", [True, False])
@pytest.mark.parametrize("conv", [nn.Conv1d(6, 10, 1), nn.Conv2d(6, 10, 1), nn.Conv3d(6, 10, 1)])
def test_pointwise(conv, record):
    x = randn(2, 3, 4, 6)
    expected = torch.einsum("bijc,oc->bijo", x, conv.weight.flatten(1)) + conv.bias
    with torch.set_grad_enabled(record):
        torch.testing.assert_close(pointwise(conv, x), expected, rtol=0, atol=1e-5)


def test_rows_of_a_time_layer_do_not_depend_on_each_other():
    layer, x = TimeLinear(128, 256), randn(7, 128)
    torch.testing.assert_close(layer(x), nn.Linear.forward(layer, x), rtol=0, atol=1e-5)
    with torch.inference_mode():
        assert torch.equal(layer(x)[3:4], layer(x[3:4]))


def test_halved_and_doubled():
    x = torch.arange(8.0).view(1, 2, 4, 1)
    assert halved(x).flatten().tolist() == [2.5, 4.5]
    assert doubled(x)[0, :, :, 0].tolist() == [[0, 0, 1, 1, 2, 2, 3, 3]] * 2 + [[4, 4, 5, 5, 6, 6, 7, 7]] * 2
    assert torch.equal(halved(doubled(x)), x)


def test_zeroed():
    assert not any(parameter.any() for parameter in zeroed(nn.Conv1d(3, 4, 1)).parameters())


@pytest.mark.parametrize("heads_outside", [True, False])
def test_self_attention_looks_along_its_axis(heads_outside):
    torch.manual_seed(0)
    attention, x = SelfAttention(random_norm(64), 64, 4, heads_outside), randn(2, 5, 3, 64)
    nn.init.normal_(attention.proj_out.weight, std=0.2)
    with torch.inference_mode():
        out = attention(x)
        expected = torch.stack([reference_attention(attention, x[:, :, s : s + 1]) for s in range(3)], dim=2)
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-5)


def reference_attention(attention, x):
    """(N, T, 1, C) to (N, T, C), one head after the other."""
    qkv = torch.einsum("ntc,oc->nto", attention.norm(x)[:, :, 0], attention.qkv.weight[:, :, 0]) + attention.qkv.bias
    heads = []
    for i in range(4):
        d = 16
        starts = (48 * i, 48 * i + d, 48 * i + 2 * d) if attention.heads_outside else (d * i, 64 + d * i, 128 + d * i)
        q, k, v = (qkv[:, :, start : start + d] for start in starts)
        heads.append(torch.softmax(q @ k.transpose(1, 2) / math.sqrt(d), dim=2) @ v)
    return x[:, :, 0] + torch.cat(heads, dim=2) @ attention.proj_out.weight[:, :, 0].T + attention.proj_out.bias
