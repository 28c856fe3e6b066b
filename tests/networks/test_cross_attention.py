"""Windowed attention against a loop over frames, written from its definition."""

import math

import pytest
import torch
from torch import nn

from savg_ray.networks.cross_attention import CrossAttention


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def random_attention(channels=32, n_heads=2, window=2):
    torch.manual_seed(0)
    attention = CrossAttention(channels, n_heads, window, shifted=True)
    for conv in (attention.video_proj_out.video_conv, attention.audio_proj_out.audio_conv):
        nn.init.normal_(conv.weight, std=0.3)
        nn.init.normal_(conv.bias, std=0.3)
    return attention


def linear(conv, rows):
    return rows @ conv.weight.flatten(1).T + conv.bias


def reference(net, video, audio, shift):
    """One clip, float64: each frame and its share of samples in turn."""
    f, h, w, c = video.shape
    length, pixels, samples = len(audio), h * w, len(audio) // f
    v = linear(net.v_qkv, net.v_norm.whole(video[None])[0].view(-1, c))
    a = linear(net.a_qkv, net.a_norm.whole(audio[None])[0])
    seen, heard = [], []
    for i in range(f):
        keys = [((i + shift) * samples + j) % length for j in range(net.window * samples)]
        seen.append(attend(v[i * pixels : (i + 1) * pixels, :c], a[keys, c:], net.n_heads))
        keys = [((i + shift) * pixels + j) % (f * pixels) for j in range(net.window * pixels)]
        end = length if i == f - 1 else (i + 1) * samples
        heard.append(attend(a[i * samples : end, :c], v[keys, c:], net.n_heads))
    seen = linear(net.video_proj_out.video_conv, torch.cat(seen))
    heard = linear(net.audio_proj_out.audio_conv, torch.cat(heard))
    return video + seen.view(video.shape), audio + heard


def attend(queries, keys_and_values, n_heads):
    keys, values = keys_and_values.chunk(2, dim=1)
    d = queries.shape[1] // n_heads
    heads = []
    for q, k, v in zip(queries.split(d, 1), keys.split(d, 1), values.split(d, 1), strict=True):
        heads.append(torch.softmax(q @ k.T / math.sqrt(d), dim=1) @ v)
    return torch.cat(heads, dim=1)


@pytest.mark.parametrize("n_heads", [1, 4])
@pytest.mark.parametrize(
    ("f", "length", "window", "shift"),
    [
        (5, 20, 1, 0),
        (5, 20, 1, 4),
        (5, 20, 3, 2),
        (5, 24, 3, 1),
        (5, 24, 5, 0),
        (5, 29, 5, 0),
        (4, 7, 2, 2),
        (3, 5, 3, 0),
        (1, 6, 1, 0),
    ],
)
@pytest.mark.parametrize("record", [True, False])
def test_against_the_definition(f, length, window, shift, n_heads, record):
    net = random_attention(32, n_heads, window)
    video, audio = randn(1, f, 2, 3, 32), randn(1, length, 32, seed=1)
    with torch.set_grad_enabled(record):
        results = net(video, audio, torch.tensor([shift]))
    for result, expected in zip(results, reference(net, video[0], audio[0], shift), strict=True):
        torch.testing.assert_close(result[0], expected, rtol=0, atol=1e-5)


def test_every_clip_has_its_own_shift():
    net = random_attention(window=2)
    video, audio, shifts = randn(3, 5, 2, 2, 32), randn(3, 23, 32, seed=1), [0, 3, 1]
    with torch.inference_mode():
        together = net(video, audio, torch.tensor(shifts))
        for i, shift in enumerate(shifts):
            alone = net(video[i : i + 1], audio[i : i + 1], torch.tensor([shift]))
            for ours, theirs in zip(alone, together, strict=True):
                torch.testing.assert_close(ours[0], theirs[i], rtol=0, atol=2e-6)


def test_one_shift_for_all_clips():
    net = random_attention(window=2)
    video, audio = randn(2, 5, 2, 2, 32), randn(2, 23, 32, seed=1)
    with torch.inference_mode():
        shared, own = net(video, audio, torch.tensor([2])), net(video, audio, torch.tensor([2, 2]))
    for ours, theirs in zip(shared, own, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-6)


def test_only_the_window_is_seen():
    net = random_attention(window=1)
    video, audio = randn(1, 5, 2, 2, 32), randn(1, 20, 32, seed=1)
    # The norm looks at the whole clip, so what changes outside the window must keep its statistics.
    other = audio.clone()
    other[:, 8:12] = audio[:, 8:12].flip(1)
    other[:, 16:] = audio[:, 16:].flip(1)
    with torch.inference_mode():
        before, after = net(video, audio, torch.tensor([1]))[0], net(video, other, torch.tensor([1]))[0]
    # Within its window a frame does not care about the order of samples, so nothing may change.
    torch.testing.assert_close(before, after, rtol=0, atol=2e-6)
    other = audio.clone()
    other[:, 8:16] = audio[:, 8:16].flip(1)
    with torch.inference_mode():
        after = net(video, other, torch.tensor([1]))[0]
    changed = (after - before).abs().amax((0, 2, 3, 4)) > 1e-3
    assert changed.tolist() == [False, True, True, False, False]


def test_gradients_reach_everything():
    net = random_attention(window=2)
    video, audio = randn(1, 4, 2, 2, 32).requires_grad_(), randn(1, 10, 32, seed=1).requires_grad_()
    seen, heard = net(video, audio, torch.tensor([1]))
    (seen.square().sum() + heard.square().sum()).backward()
    for tensor in (video, audio, *net.parameters()):
        assert tensor.grad.abs().sum() > 0


def test_gradients_are_those_of_the_definition():
    net = random_attention(window=3)
    video, audio = randn(1, 4, 2, 2, 32), randn(1, 14, 32, seed=1)

    def gradients(run):
        v, a = video.clone().requires_grad_(), audio.clone().requires_grad_()
        seen, heard = run(v, a)
        return torch.autograd.grad(seen.square().sum() + heard.square().sum(), (v, a))

    ours = gradients(lambda v, a: net(v, a, torch.tensor([1])))
    theirs = gradients(lambda v, a: reference(net, v[0], a[0], 1))
    for x, y in zip(ours, theirs, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-4, atol=1e-4)
