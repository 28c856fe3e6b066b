import pytest
import torch
import torch.nn.functional as F

from savg_ray.networks.mm_layers import (
    AudioConv,
    NamedGroupNorm,
    PointwiseAudioConv,
    PointwiseVideoConv,
    VideoConv,
    VideoConv3d,
    grown_video,
    lengthened,
    shortened,
    shrunk_video,
)


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(autouse=True)
def same_weights():
    torch.manual_seed(0)


@pytest.fixture(params=["recorded", "not recorded"])
def gradients(request):
    with torch.set_grad_enabled(request.param == "recorded"):
        yield


def reference_video(conv, video):
    b, f, h, w, _ = video.shape
    frames = conv.video_conv_spatial.weight, conv.video_conv_spatial.bias
    out = F.conv2d(video.flatten(0, 1).permute(0, 3, 1, 2), *frames, padding=1)
    pixels = out.unflatten(0, (b, f)).permute(0, 3, 4, 2, 1).flatten(0, 2)
    out = F.conv1d(pixels, conv.video_conv_temporal.weight, conv.video_conv_temporal.bias, padding=1)
    return out.view(b, h, w, -1, f).permute(0, 4, 1, 2, 3)


@pytest.mark.parametrize("shrink", [False, True])
def test_video_conv(gradients, shrink):
    conv, video = VideoConv(5, 7), randn(2, 4, 6, 8, 5)
    expected = reference_video(conv, video)
    expected = shrunk_video(expected) if shrink else expected
    torch.testing.assert_close(conv(video, shrink), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("shrink", [False, True])
@pytest.mark.parametrize("dilation", [1, 2, 4, 16, 39, 40, 512])
def test_audio_conv(gradients, dilation, shrink):
    conv, audio = AudioConv(5, 7, dilation), randn(2, 40, 5)
    expected = conv.audio_conv(audio.transpose(1, 2)).transpose(1, 2)
    expected = shortened(expected) if shrink else expected
    torch.testing.assert_close(conv(audio, shrink), expected, rtol=0, atol=1e-5)


def test_pointwise_convs(gradients):
    video, audio = PointwiseVideoConv(5, 7), PointwiseAudioConv(5, 7)
    x, y = randn(1, 2, 3, 4, 5), randn(2, 6, 5)
    expected = video.video_conv(x.permute(0, 4, 1, 2, 3)).permute(0, 2, 3, 4, 1)
    torch.testing.assert_close(video(x), expected, rtol=0, atol=1e-5)
    expected = audio.audio_conv(y.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(audio(y), expected, rtol=0, atol=1e-5)


def test_video_conv_3d(gradients):
    conv, video = VideoConv3d(5, 3), randn(2, 4, 6, 8, 5)
    expected = conv.video_conv(video.permute(0, 4, 1, 2, 3)).permute(0, 2, 3, 4, 1)
    torch.testing.assert_close(conv(video), expected, rtol=0, atol=1e-5)


def test_resampling():
    video, audio = randn(2, 3, 4, 6, 5), randn(2, 8, 5)
    torch.testing.assert_close(shrunk_video(video)[1, 2, 1, 2], video[1, 2, 2:4, 4:6].mean((0, 1)))
    assert torch.equal(grown_video(video)[1, 2, 3, 4], video[1, 2, 1, 2])
    torch.testing.assert_close(shortened(audio)[1, 1], audio[1, 4:].mean(0))
    assert torch.equal(lengthened(audio)[1, 12:16], audio[1, 3].expand(4, 5))


def test_statistics_of_the_whole_clip():
    norm, video = NamedGroupNorm(32), 3 + 2 * randn(2, 4, 6, 8, 32)
    expected = norm.GroupNorm(video.view(2, -1, 1, 32)).view(video.shape)
    assert torch.equal(norm.whole(video), expected)
    torch.testing.assert_close(norm.whole(video).mean((1, 2, 3)), torch.zeros(2, 32), rtol=0, atol=1e-5)
