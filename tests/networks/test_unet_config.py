import dataclasses

import pytest

from savg_ray.errors import UserError
from savg_ray.networks import unet_config
from savg_ray.networks.unet_config import MMUNetConfig, SRUNetConfig
from tests.networks.unet_golden import golden_config


def test_official_arguments_left_out_are_the_official_ones():
    assert MMUNetConfig.from_dict({}) == MMUNetConfig.official()
    assert SRUNetConfig.from_dict({}) == SRUNetConfig.official()


def test_golden_configs_are_read():
    mm = MMUNetConfig.from_dict(golden_config("mm_b")["config"])
    assert (mm.n_frames, mm.height_px, mm.n_samples, mm.base_channels) == (4, 16, 1120, 32)
    assert mm.multipliers == (1, 2, 2)
    assert mm.cross_attention_windows == (1, 2, 3)
    assert mm.audio_attention_rates == (4,)
    mm = MMUNetConfig.from_dict(golden_config("mm_d")["config"])
    assert (mm.head_channels, mm.scale_shift, mm.cross_attention_shift) == (None, False, False)
    assert (mm.audio_attention_rates, mm.width_px) == ((), 20)
    sr = SRUNetConfig.from_dict(golden_config("sr_b")["config"])
    assert (sr.multipliers, sr.attention_rates, sr.resample_in_blocks) == ((1, 2, 3, 4), (2, 8), False)


def test_lists_do_as_well_as_strings():
    config = {"video_size": [20, 3, 64, 64], "cross_attention_windows": [1, 4, 8], "audio_size": "2,80000"}
    assert MMUNetConfig.from_dict(config) == MMUNetConfig.official()


def test_training_options():
    config = MMUNetConfig.official(dropout=0.1, recompute=True)
    assert MMUNetConfig.from_dict({"dropout": 0.1, "use_checkpoint": True}) == config
    assert dataclasses.replace(config, dropout=0.0, recompute=False) == MMUNetConfig.official()
    assert SRUNetConfig.official(0.1, True) == SRUNetConfig.from_dict({"dropout": 0.1, "use_checkpoint": True})


@pytest.mark.parametrize(
    ("network", "keys"), [(MMUNetConfig, unet_config._MM_KEYS), (SRUNetConfig, unet_config._SR_KEYS)]
)
def test_every_known_key_is_read(network, keys):
    class Arguments(dict):
        def get(self, key, otherwise):
            read.append(key)
            return otherwise

    read = []
    network.from_dict(Arguments())
    assert sorted(read) == sorted(keys)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"nun_heads": 4}, "knows no setting called nun_heads"),
        # Names go first: the sizes want channel_mult, which is there but misspelt.
        ({"chanel_mult": "1,2", "video_size": [20, 3, 48, 48]}, "knows no setting called chanel_mult"),
        ({3: 4, "width": "big", "num_heads": "4"}, "knows no setting called 3, width"),
        ({"video_type": "3d"}, "video_type of the multimodal UNet can only be '2d\\+1d', not '3d'"),
        ({"resblock_updown": False}, "resblock_updown"),
        ({"class_cond": True}, "class_cond"),
        ({"use_fp16": True}, "use_fp16"),
        ({"num_heads_upsample": 8}, "num_heads_upsample"),
        ({"num_heads": "4"}, "num_heads .* whole number, not '4'"),
        ({"learn_sigma": 1}, "learn_sigma .* true or false"),
        ({"dropout": "much"}, "dropout .* number from 0"),
        ({"dropout": 1.5}, "dropout .* number from 0"),
        ({"cross_attention_windows": "1,four,8"}, "cross_attention_windows .* must look like 2,4,8"),
        ({"cross_attention_windows": "1,4"}, "names 3 rates and cross_attention_windows 2 windows"),
        ({"cross_attention_windows": "1,4,30"}, "window of 30 frames"),
        ({"num_channels": 100}, "num_channels 100"),
        ({"num_heads": 3}, "num_heads 3 does not divide"),
        ({"num_head_channels": 60}, "num_head_channels 60 does not divide"),
        ({"video_size": [20, 3, 64]}, "video_size .* 4 numbers"),
        ({"audio_size": "80000"}, "audio_size .* 2 numbers"),
        ({"video_size": [20, 3, 48, 48]}, "video_size 48 .* give channel_mult"),
    ],
)
def test_bad_arguments_of_the_multimodal_network(config, sentence):
    with pytest.raises(UserError, match=sentence):
        MMUNetConfig.from_dict(config)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"video_size": [20, 3, 64, 64]}, "super-resolution UNet knows no setting called video_size"),
        ({"chanel_mult": "1,2", "large_size": 100}, "knows no setting called chanel_mult"),
        ({"use_fp16": True}, "use_fp16"),
        ({"large_size": 100}, "large_size 100"),
        ({"channel_mult": "0,1"}, "channel_mult"),
        ({"num_head_channels": 50}, "num_head_channels 50"),
        ({"attention_resolutions": 8}, "attention_resolutions .* must look like"),
        ({"dropout": True}, "dropout .* number from 0"),
    ],
)
def test_bad_arguments_of_the_super_resolution_network(config, sentence):
    with pytest.raises(UserError, match=sentence):
        SRUNetConfig.from_dict(config)
