import pytest
import torch

from savg_ray.networks.compiled_blocks import compile_blocks
from savg_ray.networks.cross_attention import CrossAttention
from savg_ray.networks.mm_residual import ResidualBlock
from savg_ray.networks.mm_unet import MMUNet
from savg_ray.networks.sr_unet import REPEATED_BLOCKS, SRUNet
from savg_ray.networks.unet_config import MMUNetConfig, SRUNetConfig
from savg_ray.weights.fill import fill_deterministic

SHAPES = {"channel_mult": [1], "num_channels": 32, "num_res_blocks": 1}
MM = MMUNetConfig.from_dict(
    {
        **SHAPES,
        "video_size": [4, 3, 8, 8],
        "audio_size": [2, 400],
        "cross_attention_resolutions": [1],
        "cross_attention_windows": [1],
        "video_attention_resolutions": [1],
        "num_head_channels": 16,
    }
)
SR = SRUNetConfig.from_dict({**SHAPES, "attention_resolutions": [1]})


@pytest.fixture(autouse=True)
def limits():
    """What compilation leaves behind in the process."""
    limit = torch.compiler.config.recompile_limit
    yield
    torch.compiler.config.recompile_limit = limit
    torch.compiler.reset()


def filled(network):
    return fill_deterministic(network.eval().requires_grad_(False), 11)


def drawn(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def networks():
    return (MMUNet(MM), (ResidualBlock, CrossAttention)), (SRUNet(SR), REPEATED_BLOCKS)


def block(kind, *arguments, **options):
    return filled(kind(*arguments, **options))


def blocks():
    options = {"audio_dilation": 2, "scale_shift": True, "dropout": 0.0, "n_heads": 2}
    # Four frames: normalising a channel over two of them would multiply rounding errors by 300.
    video, audio, embedding = drawn(1, 4, 4, 4, 32), drawn(1, 128, 32), drawn(1, 32)
    attending = block(ResidualBlock, 32, 64, 32, **options, video_attention=True, audio_attention=True)
    yield attending, (video, audio, embedding)
    yield block(ResidualBlock, 32, 32, 32, **options, resampling="down"), (video, audio, embedding)
    yield block(CrossAttention, 32, 2, 1, True), (video, audio, torch.tensor([1]))
    residual, attention = REPEATED_BLOCKS
    yield block(residual, 32, 64, SR, "up"), (drawn(1, 8, 8, 32), drawn(1, 128))
    yield block(attention, 32, SR), (drawn(1, 8, 8, 32), drawn(1, 128))


def close(results, others):
    pairs = zip(results, others, strict=True) if isinstance(results, tuple) else [(results, others)]
    for result, other in pairs:
        torch.testing.assert_close(result, other, rtol=0, atol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("number", range(5))
def test_a_block_is_one_graph_without_breaks(number):
    module, inputs = list(blocks())[number]
    expected = module(*inputs)
    # The compiler's front half alone, which refuses what it cannot follow, the ways of a CPU among it.
    module.compile(dynamic=False, fullgraph=True, backend="eager")
    close(module(*inputs), expected)


def test_blocks_are_compiled_in_place_and_the_limit_is_raised():
    for network, kinds in networks():
        names = list(network.state_dict())
        compile_blocks(network, kinds)
        assert list(network.state_dict()) == names
        compiled = [module for module in network.modules() if module._compiled_call_impl is not None]
        assert len(compiled) >= 4
        assert {type(module) for module in compiled} == set(kinds)
    assert torch.compiler.config.recompile_limit >= 256


@pytest.mark.slow
@torch.inference_mode()
def test_compiled_blocks_compute_the_same_up_to_rounding_and_repeat_themselves(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    for number in (0, 3):
        module, inputs = list(blocks())[number]
        expected = module(*inputs)
        compile_blocks(module, (type(module),))
        result = module(*inputs)
        close(result, expected)
        again = module(*inputs)
        pairs = zip(again, result, strict=True) if isinstance(result, tuple) else [(again, result)]
        assert all(torch.equal(one, other) for one, other in pairs)
