"""The two small feature networks: form, size, and independence of what lies beside a clip in its batch."""

import numpy as np
import pytest
import torch

from savg_ray.errors import ClipError
from savg_ray.networks import audio_mini, video_mini
from savg_ray.weights.fill import fill_deterministic
from tests.toys import toy_audio, toy_video


@pytest.fixture(scope="module")
def video_net():
    return fill_deterministic(video_mini.VideoMini().eval(), video_mini.FILL_SALT, video_mini.FILL_GAIN)


@pytest.fixture(scope="module")
def audio_net():
    return fill_deterministic(audio_mini.AudioMini().eval(), audio_mini.FILL_SALT, audio_mini.FILL_GAIN)


def videos(*seeds, size=(6, 64, 64)):
    return torch.from_numpy(np.stack([toy_video(seed, *size) for seed in seeds]))


def sounds(*seeds, n=16000):
    return torch.from_numpy(np.stack([toy_audio(seed, 2, n, 16000) for seed in seeds]).astype(np.float32))


@torch.inference_mode()
@pytest.mark.parametrize(("net", "media"), [("video_net", videos(1, 2)), ("audio_net", sounds(1, 2))])
def test_features_are_a_clips_own_and_the_same_each_time(request, net, media):
    net = request.getfixturevalue(net)
    features = net(media)
    assert features.shape == (2, 64)
    assert features.dtype == torch.float32
    assert torch.isfinite(features).all()
    assert torch.equal(net(media), features)
    torch.testing.assert_close(net(media[1:]), features[1:], rtol=1e-4, atol=1e-4)
    assert (features[0] - features[1]).abs().max() > 0.01


@torch.inference_mode()
def test_any_size_and_length_will_do(video_net, audio_net):
    for size in ((2, 64, 64), (20, 256, 256), (5, 90, 120), (3, 36, 64)):
        assert video_net(videos(3, size=size)).shape == (1, 64)
    for n in (16000, 80000, 81234):
        assert audio_net(sounds(3, n=n)).shape == (1, 64)


@torch.inference_mode()
def test_left_is_told_from_right(video_net, audio_net):
    frames, waveform = videos(5), sounds(5)
    assert (video_net(frames.flip(3)) - video_net(frames)).abs().max() > 0.01
    assert (audio_net(waveform.flip(1)) - audio_net(waveform)).abs().max() > 0.01


@torch.inference_mode()
def test_the_order_of_pictures_and_of_sounds_counts(video_net, audio_net):
    frames, waveform = videos(6, size=(8, 64, 64)), sounds(6, n=32000)
    order = torch.tensor([3, 0, 6, 1, 7, 2, 5, 4])
    assert (video_net(frames[:, order]) - video_net(frames)).abs().max() > 0.01
    pieces = waveform.reshape(1, 2, 8, 4000)[:, :, order].reshape(1, 2, -1)
    assert (audio_net(pieces) - audio_net(waveform)).abs().max() > 0.01


def test_they_are_small_and_hold_weights_alone(video_net, audio_net):
    for net in (video_net, audio_net):
        assert sum(tensor.numel() for tensor in net.state_dict().values()) * 2 < 1_000_000
        assert {key.split(".")[0] for key in net.state_dict()} == {"layers", "features"}


@torch.inference_mode()
def test_silence_and_black_have_finite_features(video_net, audio_net):
    assert torch.isfinite(video_net(torch.zeros(1, 9, 64, 64, 3, dtype=torch.uint8))).all()
    assert torch.isfinite(audio_net(torch.zeros(1, 2, 80000))).all()


def test_what_they_cannot_take_is_a_sentence(video_net, audio_net):
    cases = (
        (video_net, torch.zeros(1, 1, 64, 64, 3, dtype=torch.uint8), "too_few_frames"),
        (video_net, torch.zeros(1, 9, 64, 64, 3), "bad_frames"),
        (audio_net, torch.zeros(1, 1, 80000), "not_stereo"),
        (audio_net, torch.zeros(1, 2, 15999), "too_short"),
    )
    for net, media, reason in cases:
        with pytest.raises(ClipError) as caught:
            net(media)
        assert caught.value.reason == reason
