"""The multimodal UNet against the official code's results (filler weights, CPU float32)."""

import json
import random
import re

import pytest
import torch
from torch import nn

from savg_ray.compat import build_mm_unet
from savg_ray.errors import UserError
from savg_ray.networks.cross_attention import CrossAttention
from savg_ray.networks.mm_residual import InitialBlock, ResidualBlock
from savg_ray.networks.mm_unet import MMUNet
from savg_ray.networks.unet_config import MMUNetConfig
from savg_ray.networks.unet_parts import SelfAttention
from tests.networks.unet_golden import (
    GOLDEN,
    check_official_manifest,
    filled,
    filled_cheaply,
    golden_config,
    golden_tensors,
    worst,
)

CASES = ("mm_a", "mm_b", "mm_d")
OFFICIAL_SHIFTS = [
    [19, 7, 2, 13, 6, 6, 2, 2, 6, 6, 3, 16, 16, 11, 8],
    [18, 4, 12, 15, 9, 12, 11, 5, 8, 2, 0, 16, 16, 17, 9],
]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def nets():
    return {name: filled(build_mm_unet(golden_config(name)["config"]), name) for name in CASES}


@pytest.fixture(scope="module")
def official_on_paper():
    with torch.device("meta"):
        return MMUNet(MMUNetConfig.official())


@pytest.fixture(scope="module")
def toy():
    return golden_tensors("mm_b")


def forward(net, case, **changes):
    inputs = {key: case[key] for key in ("video", "audio", "timesteps", "shifts")} | changes
    with torch.inference_mode():
        return net(*inputs.values())


@pytest.mark.parametrize("name", CASES)
def test_outputs(nets, name):
    case = golden_tensors(name)
    assert worst(forward(nets[name], case), (case["out_video"], case["out_audio"])) < 3e-5


@pytest.mark.parametrize("name", CASES)
def test_outputs_where_gradients_are_recorded(nets, name):
    # Another way through the layers: without the shortcuts that know no gradients.
    case = golden_tensors(name)
    outputs = nets[name](case["video"], case["audio"], case["timesteps"], case["shifts"].tolist())
    assert all(output.requires_grad for output in outputs)
    assert worst([output.detach() for output in outputs], (case["out_video"], case["out_audio"])) < 3e-5


def test_outputs_of_the_blocks(nets):
    net, case, golden = nets["mm_a"], golden_tensors("mm_a"), golden_tensors("mm_a_blocks")
    paths = sorted({key.split("|")[0] for key in golden if "|" in key})
    seen = {}

    def keep(path):
        def hook(_module, _inputs, output):
            video, audio = output
            seen[path] = (video[:1].permute(0, 1, 4, 2, 3).clone(), audio[:1].transpose(1, 2).clone())

        return hook

    # A stage is a list of blocks; what the last of them gives is what the stage gives.
    blocks = {path: net.get_submodule(path) for path in paths}
    lasts = {path: block[-1] if isinstance(block, nn.ModuleList) else block for path, block in blocks.items()}
    hooks = [block.register_forward_hook(keep(path)) for path, block in lasts.items()]
    forward(net, case)
    for hook in hooks:
        hook.remove()
    errors = {path: worst(seen[path], (golden[f"{path}|video"], golden[f"{path}|audio"])) for path in paths}
    assert len(errors) == 12
    assert max(errors.values()) < 5e-5, errors
    with torch.inference_mode():
        assert worst([net.time_embed(case["timesteps"])], [golden["time_embed"]]) < 5e-5


def test_state_dict_is_the_official_one(official_on_paper):
    check_official_manifest(official_on_paper, "mm_unet_official")


@pytest.mark.parametrize("name", ["mm_official", *CASES])
def test_architecture(nets, official_on_paper, name):
    net = nets.get(name, official_on_paper)
    assert [row for path, block in net.named_modules() for row in structure(path, block)] == [
        row for row in json.loads((GOLDEN / "arch.json").read_text())[name]
    ]


def structure(path, block):
    if isinstance(block, InitialBlock):
        video, audio = block.video_conv.video_conv_spatial, block.audio_conv.audio_conv
        row = {"type": "initial", "cin_video": video.in_channels, "cin_audio": audio.in_channels}
        yield {"path": path, **row, "cout": video.out_channels}
    if isinstance(block, ResidualBlock):
        conv = block.audio_in_layers[2].audio_conv
        heads = {m.n_heads for m in block.modules() if isinstance(m, SelfAttention)}
        yield {
            "path": path,
            "type": "res",
            "cin": conv.in_channels,
            "cout": conv.out_channels,
            "audio_dilation": conv.dilation[0],
            "resample": block.resampling,
            "video_attention": hasattr(block, "temporal_attention_block"),
            "audio_attention": hasattr(block, "audio_attention_block"),
            "attn_heads": heads.pop() if heads else None,
        }
    if isinstance(block, CrossAttention):
        row = {"type": "cross", "channels": block.v_qkv.in_channels, "heads": block.n_heads}
        yield {"path": path, **row, "window": block.window, "random_shift": block.shifted}


@pytest.mark.parametrize("name", CASES)
def test_shifts_are_drawn_as_the_official_code_draws_them(nets, name):
    golden = golden_config(name)
    assert nets[name].shift_keys == golden["shift_keys"]
    assert [[0, largest] for largest in nets[name].shift_ranges] == golden["shift_ranges"]
    assert nets[name].draw_shifts(random.Random(golden["shift_seed"])) == golden["shifts"]


def test_official_shifts(official_on_paper):
    assert official_on_paper.shift_ranges == [19, 19, 16, 16, 12, 12, 12, 12, 12, 16, 16, 16, 19, 19, 19]
    generator = random.Random(1010)
    assert [official_on_paper.draw_shifts(generator) for _ in range(2)] == OFFICIAL_SHIFTS


def test_shifts_left_out_come_from_the_generator_of_the_network(nets, toy):
    net = nets["mm_b"]
    net.shift_generator.seed(golden_config("mm_b")["shift_seed"])
    drawn = forward(net, toy, shifts=None)
    assert worst(drawn, forward(net, toy)) == 0
    assert worst(forward(net, toy, shifts=None), drawn) > 0.1


def test_every_shift_is_read(nets, toy):
    net, before = nets["mm_b"], forward(nets["mm_b"], toy)
    for i, largest in enumerate(net.shift_ranges):
        shifts = toy["shifts"].clone()
        shifts[i] = (shifts[i] + 1) % (largest + 1)
        assert worst(forward(net, toy, shifts=shifts), before) > 1e-3, net.shift_keys[i]


def test_clips_of_a_batch_have_their_own_shifts(nets, toy):
    net = nets["mm_b"]
    table = torch.tensor([net.draw_shifts(random.Random(seed)) for seed in (1, 2)])
    together = forward(net, toy, shifts=table)
    for i, shifts in enumerate(table):
        inputs = {key: toy[key][i : i + 1] for key in ("video", "audio", "timesteps")}
        alone = forward(net, inputs | {"shifts": shifts})
        assert worst(alone, [output[i : i + 1] for output in together]) < 5e-6
    assert worst(forward(net, toy, shifts=table.tolist()), together) == 0


def test_clips_do_not_depend_on_their_batch_mates(nets):
    case = golden_tensors("mm_a")
    together = forward(nets["mm_a"], case)
    for i in range(2):
        alone = forward(nets["mm_a"], {k: v if k == "shifts" else v[i : i + 1] for k, v in case.items()})
        assert worst(alone, [output[i : i + 1] for output in together]) < 5e-6


def test_one_timestep_is_shared_by_the_batch(nets, toy):
    net = nets["mm_b"]
    shared = forward(net, toy, timesteps=torch.tensor([321.5]))
    assert worst(shared, forward(net, toy, timesteps=torch.tensor([321.5, 321.5]))) < 5e-6
    assert worst(shared, forward(net, toy, timesteps=torch.tensor([321, 321]))) > 1e-3


def test_longer_clips_than_configured(nets):
    net, generator = nets["mm_b"], torch.Generator().manual_seed(0)
    video, audio = torch.randn(1, 6, 3, 8, 12, generator=generator), torch.randn(1, 2, 160, generator=generator)
    with torch.inference_mode():
        net.shift_generator.seed(3)
        outputs = net(video, audio, torch.tensor([5]))
        shifts = net.draw_shifts(random.Random(3), n_frames=6)
        assert worst(outputs, net(video, audio, torch.tensor([5]), shifts)) == 0
    assert [output.shape for output in outputs] == [video.shape, audio.shape]


@pytest.mark.parametrize("autocast", [True, False])
def test_bfloat16_stays_close(toy, autocast):
    net = filled(build_mm_unet(golden_config("mm_b")["config"]), "mm_b")
    if not autocast:
        net = net.to(torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        outputs = forward(net, toy)
    assert {output.dtype for output in outputs} == {torch.float32}
    expected = (toy["out_video"], toy["out_audio"])
    assert 0 < worst(outputs, expected) < 0.2
    errors = [(o - e).std() / e.std() for o, e in zip(outputs, expected, strict=True)]
    assert max(errors) < 0.04


def gradients(toy, shifts, **changes):
    config = golden_config("mm_b")["config"] | changes
    net = filled(build_mm_unet(config), "mm_b").train()
    net.shift_generator.seed(9)
    torch.manual_seed(4)
    video, audio = net(toy["video"][:1], toy["audio"][:1], toy["timesteps"][:1], shifts)
    (video.square().mean() + audio.square().mean()).backward()
    return {name: parameter.grad for name, parameter in net.named_parameters()}


@pytest.mark.parametrize("shifts", [[2, 1, 0, 0, 0, 0, 1, 3, 1], None])
def test_recomputed_activations_give_the_same_gradients(toy, shifts):
    # The official code draws another shift when it computes again.
    plain = gradients(toy, shifts, dropout=0.1)
    recomputed = gradients(toy, shifts, dropout=0.1, use_checkpoint=True)
    assert all(gradient is not None for gradient in plain.values())
    for name, gradient in plain.items():
        assert torch.equal(recomputed[name], gradient), name


def test_training_changes_nothing_without_dropout(nets, toy):
    net = filled(build_mm_unet(golden_config("mm_b")["config"]), "mm_b").train()
    assert worst(forward(net, toy), forward(nets["mm_b"], toy)) < 5e-6


def test_a_fresh_network_predicts_nothing(toy):
    outputs = forward(build_mm_unet(golden_config("mm_b")["config"]), toy)
    assert worst(outputs, [torch.zeros_like(output) for output in outputs]) == 0


@pytest.mark.parametrize(
    ("video", "audio", "sentence"),
    [
        ((4, 3, 18, 16), 1120, "18×16 pixels.*multiples of 4"),
        ((4, 3, 16, 2), 1120, "multiples of 4"),
        ((4, 3, 16, 16), 1128, "1128 samples.*multiple of 16"),
        ((4, 3, 16, 16), 48, "at least 16 a frame"),
        ((2, 3, 16, 16), 1120, "3 frames at once and got 2"),
    ],
)
def test_other_sizes_are_refused(nets, video, audio, sentence):
    with pytest.raises(UserError, match=sentence):
        nets["mm_b"](torch.zeros(1, *video), torch.zeros(1, 2, audio), torch.tensor([0]))


@pytest.mark.parametrize(
    ("shifts", "sentence"),
    [
        ([0] * 8, "9 integers"),
        ([[0] * 9] * 3, "2 rows"),
        ([0] * 8 + [4], re.escape("[3, 2, 1, 1, 1, 2, 2, 3, 3]")),
        ([-1] + [0] * 8, "between 0"),
    ],
)
def test_other_shifts_are_refused(nets, toy, shifts, sentence):
    with pytest.raises(UserError, match=sentence):
        forward(nets["mm_b"], toy, shifts=shifts)


@pytest.fixture(scope="module")
def official():
    return filled_cheaply(lambda: MMUNet(MMUNetConfig.official()))


def random_clip(side_px, n_samples):
    generator = torch.Generator().manual_seed(0)
    video = torch.randn(1, 20, 3, side_px, side_px, generator=generator)
    return video, torch.randn(1, 2, n_samples, generator=generator)


def check_official_outputs(net, side_px, n_samples):
    video, audio = random_clip(side_px, n_samples)
    with torch.inference_mode():
        outputs = net(video, audio, torch.tensor([500]), OFFICIAL_SHIFTS[0])
    assert [output.shape for output in outputs] == [video.shape, audio.shape]
    for output in outputs:
        assert output.isfinite().all()
        assert 0.1 < output.std() < 2


def test_official_network_on_few_pixels(official):
    check_official_outputs(official, 16, 3200)


@pytest.mark.slow
def test_official_network_at_full_size(official):
    check_official_outputs(official, 64, 80000)
