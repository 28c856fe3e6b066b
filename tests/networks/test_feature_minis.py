"""The two small feature networks: form, size, and independence of what lies beside a clip in its batch."""

import itertools

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


def walk(n_frames=16):
    """A bright square that goes four pixels to the right from picture to picture."""
    frames = torch.zeros(1, n_frames, 128, 128, 3, dtype=torch.uint8)
    for t in range(n_frames):
        frames[:, t, 56:72, 24 + 4 * t : 40 + 4 * t] = 200
    return frames


@torch.inference_mode()
def seen_as_motion(net, frames):
    """What the branch for motion is told, (3, T, 16, 16): the log of the change since 1, 2 and 4 pictures before."""
    told = []
    handle = net.motion.layers.register_forward_pre_hook(lambda _, args: told.append(args[0]))
    try:
        net(frames)
    finally:
        handle.remove()
    return told[0][0]


def test_what_moves_on_is_told_from_what_jumps_and_from_what_stands(video_net):
    frames, order = walk(), torch.tensor([9, 2, 13, 6, 0, 11, 4, 15, 8, 1, 12, 5, 14, 3, 10, 7])
    by_lag = seen_as_motion(video_net, frames)[:, 4:].exp().mean(dim=(1, 2, 3))
    assert by_lag[1] > 1.4 * by_lag[0]
    assert by_lag[2] > 1.4 * by_lag[1]
    by_lag = seen_as_motion(video_net, frames[:, order])[:, 4:].exp().mean(dim=(1, 2, 3))
    assert by_lag[2] < 1.1 * by_lag[0]
    held = seen_as_motion(video_net, frames[:, ::4].repeat_interleave(4, dim=1))
    still = held.amax(dim=(2, 3)) == held.min()
    assert still[0].tolist() == 4 * [True] + [t % 4 > 0 for t in range(4, 16)]
    assert still[2].tolist() == 4 * [True] + 12 * [False]
    with torch.inference_mode():
        features = [video_net(one) for one in (frames, frames[:, order], frames[:, ::4].repeat_interleave(4, dim=1))]
    assert min((a - b).abs().max() for a, b in itertools.combinations(features, 2)) > 0.01


def test_standing_pictures_have_finite_gradients():
    net = video_mini.VideoMini()
    net(torch.full((2, 5, 64, 64, 3), 90, dtype=torch.uint8)).square().sum().backward()
    assert all(torch.isfinite(weight.grad).all() for weight in net.parameters())
    assert any(weight.grad.any() for weight in net.motion.parameters())


def test_they_are_small_and_hold_weights_alone(video_net, audio_net):
    for net, parts in ((video_net, {"layers", "motion", "features"}), (audio_net, {"layers", "features"})):
        assert sum(tensor.numel() for tensor in net.state_dict().values()) * 2 < 1_000_000
        assert {key.split(".")[0] for key in net.state_dict()} == parts


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
