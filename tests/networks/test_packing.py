"""Packing loses nothing, changes nothing at a patch of 1, and is told apart in what sizes are legal."""

import pytest
import torch

from savg_ray.errors import UserError
from savg_ray.networks.mm_unet import MMUNet
from savg_ray.networks.packing import (
    packed_frames,
    packed_pictures,
    packed_sound,
    unpacked_frames,
    unpacked_pictures,
    unpacked_sound,
)
from savg_ray.networks.sr_unet import SRUNet
from savg_ray.networks.unet_config import MMUNetConfig, SRUNetConfig
from savg_ray.networks.unet_parts import attended
from savg_ray.weights.fill import fill_deterministic

MM = {
    "video_size": [4, 3, 16, 24],
    "audio_size": [2, 480],
    "num_channels": 32,
    "channel_mult": [1, 1],
    "num_res_blocks": 1,
    "cross_attention_resolutions": [1],
    "cross_attention_windows": [2],
    "num_head_channels": 32,
}
SR = {"num_channels": 32, "channel_mult": [1, 1], "num_res_blocks": 1, "attention_resolutions": []}


def test_pictures_come_back_whole():
    pictures = torch.randn(2, 3, 5, 12, 20)
    packed = packed_pictures(pictures, 4)
    assert packed.shape == (2, 3, 80, 3, 5)
    assert torch.equal(unpacked_pictures(packed, 4), pictures)
    # One place holds one square: its neighbours do not reach into it.
    pictures[..., 4:, :] = 0
    assert torch.equal(packed_pictures(pictures, 4)[..., 0, :], packed[..., 0, :])
    assert not packed_pictures(pictures, 4)[..., 1:, :].any()


def test_sound_comes_back_whole():
    sound = torch.randn(2, 2, 60)
    packed = packed_sound(sound, 5)
    assert packed.shape == (2, 10, 12)
    assert torch.equal(unpacked_sound(packed, 5), sound)
    assert torch.equal(packed[0, 5:, 3], sound[0, 1, 15:20])


def test_frames_come_back_whole():
    video = torch.randn(2, 6, 3, 4, 5)
    packed = packed_frames(video, 3)
    assert packed.shape == (2, 2, 9, 4, 5)
    assert torch.equal(unpacked_frames(packed, 3), video)
    assert torch.equal(packed[0, 1, 3:6], video[0, 4])


def test_a_patch_of_one_is_the_network_without():
    for given, config, ours in (
        (MM, MMUNetConfig, {"video_patch": 1, "frame_patch": 1, "audio_patch": 1}),
        (SR, SRUNetConfig, {"patch": 1}),
    ):
        assert config.from_dict({**given, **ours}) == config.from_dict(given)
    assert packed_pictures(x := torch.randn(1, 3, 4, 4), 1) is x
    assert packed_frames(x := torch.randn(1, 2, 3, 4, 4), 1) is x
    assert packed_sound(x := torch.randn(1, 2, 4), 1) is x


def test_packed_networks_return_what_they_were_given():
    patches = {"video_patch": 4, "frame_patch": 2, "audio_patch": 6}
    net = fill_deterministic(MMUNet(MMUNetConfig.from_dict({**MM, **patches})).eval(), 1)
    assert net.input_blocks[0][0].video_conv.video_conv_spatial.weight.shape == (32, 96, 3, 3)
    assert net.shift_ranges == [0, 0, 0]
    assert net.audio_out[2].audio_conv.weight.shape == (12, 32, 3)
    with torch.no_grad():
        video, audio = net(torch.randn(2, 4, 3, 16, 24), torch.randn(2, 2, 480), torch.tensor([3, 700]), [0] * 3)
    assert video.shape == (2, 4, 3, 16, 24) and audio.shape == (2, 2, 480)
    assert video.std() > 0.1 and audio.std() > 0.1
    net = fill_deterministic(SRUNet(SRUNetConfig.from_dict({**SR, "patch": 4})).eval(), 1)
    with torch.no_grad():
        out = net(torch.randn(1, 3, 32, 40), torch.tensor([3]), torch.randn(1, 3, 8, 10))
    assert out.shape == (1, 6, 32, 40)


def test_sizes_must_fit_the_patches():
    net = MMUNet(MMUNetConfig.from_dict({**MM, "video_patch": 4, "audio_patch": 6}))
    net.check_sizes(4, 16, 24, 480)
    with pytest.raises(UserError, match="multiples of 8"):
        net.check_sizes(4, 20, 24, 480)
    with pytest.raises(UserError, match="multiple of 24"):
        net.check_sizes(4, 16, 24, 484)
    packed = MMUNet(MMUNetConfig.from_dict({**MM, "frame_patch": 2}))
    packed.check_sizes(6, 16, 24, 480)
    with pytest.raises(UserError, match="multiple of 2 frames"):
        packed.check_sizes(5, 16, 24, 480)
    with pytest.raises(UserError, match="at 2 frames at once and got 1"):
        packed.check_sizes(2, 16, 24, 480)
    with pytest.raises(UserError, match="frame_patch 3 does not divide clips of 4 frames"):
        MMUNetConfig.from_dict({**MM, "frame_patch": 3})
    with pytest.raises(UserError, match="window of 2 frames in clips of 1"):
        MMUNetConfig.from_dict({**MM, "frame_patch": 4})
    with pytest.raises(UserError, match="multiples of 8"):
        SRUNet(SRUNetConfig.from_dict({**SR, "patch": 4})).check_sizes(36, 40)
    with pytest.raises(UserError, match="video_patch 0 is no size of a patch"):
        MMUNetConfig.from_dict({"video_patch": 0})
    with pytest.raises(UserError, match="patch -2 is no size"):
        SRUNetConfig.from_dict({"patch": -2})


def test_plain_attention_is_the_fused_one():
    q, k, v = (torch.randn(2, 3, n, 8) for n in (5, 7, 7))
    fused = attended(q, k, v)
    with torch.autocast("cpu", torch.bfloat16):
        plain = attended(*(x.requires_grad_() for x in (q, k, v)))
    assert plain.dtype == torch.bfloat16
    torch.testing.assert_close(plain.float(), fused, atol=0.03, rtol=0.03)
