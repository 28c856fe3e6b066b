import logging

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from savg_ray.networks.low_precision import to_bfloat16
from savg_ray.networks.mm_unet import MMUNet
from savg_ray.networks.recorded_calls import record_calls
from savg_ray.networks.sr_unet import SRUNet
from savg_ray.networks.unet_config import MMUNetConfig, SRUNetConfig
from savg_ray.weights.fill import fill_deterministic
from tests.made_up_gpu import made_up_gpu

SMALL = {"num_channels": 32, "num_res_blocks": 1}
MM = MMUNetConfig.from_dict(
    {
        **SMALL,
        "channel_mult": [1],
        "video_size": [4, 3, 4, 4],
        "audio_size": [2, 64],
        "cross_attention_resolutions": [1],
        "cross_attention_windows": [2],
        "video_attention_resolutions": [1],
        "num_head_channels": 16,
    }
)
SR = SRUNetConfig.from_dict({**SMALL, "channel_mult": [1, 2], "attention_resolutions": [2]})


class Doubling(torch.nn.Module):
    """Counts how often it is really run."""

    def __init__(self):
        super().__init__()
        self.n_runs = 0

    def forward(self, x):
        self.n_runs += 1
        return 2 * x


def traced(forward, inputs):
    """What a GPU's recording keeps: operations in their order, whatever Python made them follow each other."""
    # The network looks at shifts on a CPU, to refuse wrong ones; on a GPU it does not.
    graph = make_fx(lambda *tensors: forward(*tensors), _error_on_data_dependent_ops=False)(*inputs)
    return lambda others: graph(*others)


def mm_inputs(seed, n=2):
    generator = torch.Generator().manual_seed(seed)
    video = torch.randn(n, 4, 3, 4, 4, generator=generator)
    audio = torch.randn(n, 2, 64, generator=generator)
    shifts = [torch.randint(0, 3, (n,), generator=generator) for _ in MMUNet(MM).shift_ranges]
    return video, audio, torch.randint(0, 1000, (n,), generator=generator), torch.stack(shifts, dim=1)


def sr_inputs(seed, n=2):
    generator = torch.Generator().manual_seed(seed)
    large, small = (torch.randn(n, 3, side, side, generator=generator) for side in (16, 4))
    return large, torch.randint(0, 1000, (n,), generator=generator), small


NETWORKS = pytest.mark.parametrize(("kind", "config", "inputs"), [(MMUNet, MM, mm_inputs), (SRUNet, SR, sr_inputs)])


@torch.no_grad()
def test_every_shape_is_recorded_at_its_third_call():
    network, recorded = Doubling(), []
    record_calls(network, lambda forward, inputs: recorded.append(inputs[0].shape) or traced(forward, inputs))
    for x in (torch.ones(2), torch.ones(3), torch.ones(2), torch.ones(3)):
        assert torch.equal(network(x), 2 * x)
    assert not recorded and network.n_runs == 4
    for value in (5.0, 7.0):
        assert torch.equal(network(torch.full((2,), value)), torch.full((2,), 2 * value))
    assert recorded == [(2,)] and network.n_runs == 5
    network(torch.ones(2, dtype=torch.float64))
    assert len(recorded) == 1


def test_calls_that_ask_for_gradients_are_not_recorded():
    network = Doubling()
    record_calls(network, lambda *_: pytest.fail("recorded"))
    for _ in range(4):
        x = torch.ones(2, requires_grad=True)
        network(x).sum().backward()
        assert torch.equal(x.grad, torch.full((2,), 2.0))


@torch.no_grad()
def test_what_cannot_be_recorded_stays_plain_and_is_said_once(caplog):
    def fails(*_):
        raise torch.OutOfMemoryError("CUDA out of memory\nby a lot")

    network = Doubling()
    record_calls(network, fails)
    with caplog.at_level(logging.WARNING, "savg_ray"):
        for _ in range(5):
            assert torch.equal(network(torch.ones(2)), torch.full((2,), 2.0))
    assert caplog.messages == ["calls with 2 rows cannot be recorded and stay plain: CUDA out of memory"]


@NETWORKS
@torch.no_grad()
def test_a_recording_of_a_network_answers_for_other_inputs(kind, config, inputs):
    """Nothing that changes from call to call, shifts and times among it, is frozen into the recording."""
    plain, network = (fill_deterministic(kind(config).eval().requires_grad_(False), 11) for _ in range(2))
    record_calls(network, traced)
    for seed in range(4):
        outputs, expected = network(*inputs(seed)), plain(*inputs(seed))
        for ours, theirs in zip(outputs, expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


@NETWORKS
@torch.no_grad()
def test_on_a_gpu_a_network_neither_waits_nor_copies_to_it(kind, config, inputs):
    """A recording may not look at values, and not bring any from the processor's memory."""
    with made_up_gpu() as fake:
        network = kind(config).eval().to("cuda")
        to_bfloat16(network)
        on_gpu = [tensor.to("cuda") for tensor in inputs(0)]
        with fake:
            nodes = make_fx(lambda *tensors: network(*tensors))(*on_gpu).graph.nodes
    made = [node.meta["val"] for node in nodes if isinstance(node.meta.get("val"), torch.Tensor)]
    assert len(made) > 200
    assert {tensor.device.type for tensor in made} == {"cuda"}
