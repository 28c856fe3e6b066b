"""The super-resolution UNet against the official code's results (filler weights, CPU float32)."""

import json

import pytest
import torch

from savg_ray.compat import build_sr_unet
from savg_ray.errors import UserError
from savg_ray.networks.sr_unet import SRUNet
from savg_ray.networks.unet_config import SRUNetConfig
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

CASES = ("sr_a", "sr_b")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def nets():
    return {name: filled(build_sr_unet(golden_config(name)["config"]), name) for name in CASES}


@pytest.fixture(scope="module")
def official_on_paper():
    with torch.device("meta"):
        return SRUNet(SRUNetConfig.official())


def forward(net, case, **changes):
    inputs = {key: case[key] for key in ("x", "timesteps", "low_res")} | changes
    with torch.inference_mode():
        return net(*inputs.values())


@pytest.mark.parametrize("name", CASES)
def test_outputs(nets, name):
    case = golden_tensors(name)
    assert worst([forward(nets[name], case)], [case["out"]]) < 3e-5


@pytest.mark.parametrize("name", CASES)
def test_outputs_where_gradients_are_recorded(nets, name):
    case = golden_tensors(name)
    output = nets[name](case["x"], case["timesteps"], case["low_res"])
    assert output.requires_grad
    assert worst([output.detach()], [case["out"]]) < 3e-5


def test_outputs_of_the_blocks(nets):
    net, golden = nets["sr_a"], golden_tensors("sr_a_blocks")
    seen = {}

    def keep(path):
        def hook(_module, _inputs, output):
            seen[path] = output[:1].permute(0, 3, 1, 2).clone()

        return hook

    # A stage is a list of blocks; what the last of them gives is what the stage gives.
    hooks = [net.get_submodule(path)[-1].register_forward_hook(keep(path)) for path in golden]
    forward(net, golden_tensors("sr_a"))
    for hook in hooks:
        hook.remove()
    assert len(seen) == 4
    assert max(worst([seen[path]], [golden[path]]) for path in golden) < 5e-5


def test_state_dict_is_the_official_one(official_on_paper):
    check_official_manifest(official_on_paper, "sr_unet_official")


def test_architecture(official_on_paper):
    rows = [row for path, block in official_on_paper.named_modules() for row in structure(path, block)]
    assert rows == json.loads((GOLDEN / "arch.json").read_text())["sr_official"]


def structure(path, block):
    if hasattr(block, "in_layers"):
        conv = block.in_layers[2]
        row = {"type": "res", "cin": conv.in_channels, "cout": conv.out_channels}
        yield {"path": path, **row, "resample": block.resampling}
    if isinstance(block, SelfAttention):
        yield {"path": path, "type": "attn", "channels": block.qkv.in_channels, "heads": block.n_heads}


@pytest.mark.parametrize("name", CASES)
def test_pictures_do_not_depend_on_their_batch_mates(nets, name):
    case = golden_tensors(name)
    together = forward(nets[name], case)
    for i in range(2):
        alone = forward(nets[name], {key: value[i : i + 1] for key, value in case.items()})
        assert worst([alone], [together[i : i + 1]]) < 5e-6


def test_one_timestep_is_shared_by_the_batch(nets):
    case = golden_tensors("sr_b")
    shared = forward(nets["sr_b"], case, timesteps=torch.tensor([528]))
    assert worst([shared], [forward(nets["sr_b"], case, timesteps=torch.tensor([528, 528]))]) < 5e-6


def test_the_small_picture_is_seen(nets):
    case = golden_tensors("sr_b")
    other = forward(nets["sr_b"], case, low_res=case["low_res"].flip(3))
    assert worst([other], [case["out"]]) > 0.1


@pytest.mark.parametrize("autocast", [True, False])
def test_bfloat16_stays_close(autocast):
    net, case = filled(build_sr_unet(golden_config("sr_b")["config"]), "sr_b"), golden_tensors("sr_b")
    if not autocast:
        net = net.to(torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        output = forward(net, case)
    assert output.dtype == torch.float32
    assert 0 < worst([output], [case["out"]]) < 0.2
    assert (output - case["out"]).std() / case["out"].std() < 0.03


def gradients(**changes):
    case = golden_tensors("sr_b")
    net = filled(build_sr_unet(golden_config("sr_b")["config"] | changes), "sr_b").train()
    torch.manual_seed(4)
    net(case["x"][:1], case["timesteps"][:1], case["low_res"][:1]).square().mean().backward()
    return {name: parameter.grad for name, parameter in net.named_parameters()}


def test_recomputed_activations_give_the_same_gradients():
    plain, recomputed = gradients(dropout=0.1), gradients(dropout=0.1, use_checkpoint=True)
    for name, gradient in plain.items():
        assert torch.equal(recomputed[name], gradient), name


def test_added_time_and_blocks_of_wider_heads():
    # No golden case has them: they must at least build, run, and depend on time.
    changes = {"use_scale_shift_norm": False, "num_head_channels": 32, "learn_sigma": False}
    net, case = filled(build_sr_unet(golden_config("sr_b")["config"] | changes), "sr_b"), golden_tensors("sr_b")
    output = forward(net, case)
    assert output.shape == case["x"].shape
    assert worst([forward(net, case, timesteps=case["timesteps"] + 100)], [output]) > 1e-3


@pytest.mark.parametrize("size", [(36, 48), (32, 20), (4, 8)])
def test_other_sizes_are_refused(nets, size):
    with pytest.raises(UserError, match=f"{size[0]}×{size[1]} pixels.*multiples of 8"):
        nets["sr_b"](torch.zeros(1, 3, *size), torch.tensor([0]), torch.zeros(1, 3, 8, 12))


def test_the_official_network_needs_multiples_of_32(official_on_paper):
    official_on_paper.check_sizes(160, 256)
    with pytest.raises(UserError, match="multiples of 32"):
        official_on_paper.check_sizes(144, 256)


@pytest.fixture(scope="module")
def official():
    return filled_cheaply(lambda: SRUNet(SRUNetConfig.official()))


def check_official_output(net, side_px):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 3, side_px, side_px, generator=generator)
    low_res = torch.randn(1, 3, side_px // 4, side_px // 4, generator=generator)
    with torch.inference_mode():
        output = net(x, torch.tensor([528]), low_res)
    assert output.shape == (1, 6, side_px, side_px)
    assert output.isfinite().all()
    assert 0.1 < output.std() < 2


def test_official_network_on_few_pixels(official):
    check_official_output(official, 64)


@pytest.mark.slow
def test_official_network_at_full_size(official):
    check_official_output(official, 256)
