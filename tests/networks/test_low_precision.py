import pytest
import torch

from savg_ray.networks.low_precision import to_bfloat16
from savg_ray.networks.mm_unet import MMUNet
from savg_ray.networks.sr_unet import SRUNet
from savg_ray.weights.fill import fill_deterministic
from tests.networks.test_recorded_calls import MM, SR, mm_inputs, sr_inputs


@pytest.mark.parametrize(("kind", "config", "inputs"), [(MMUNet, MM, mm_inputs), (SRUNet, SR, sr_inputs)])
@torch.no_grad()
def test_a_network_in_bfloat16_is_as_close_as_under_autocast(kind, config, inputs):
    plain, low = (fill_deterministic(kind(config).eval().requires_grad_(False), 11) for _ in range(2))
    to_bfloat16(low)
    given = inputs(0)
    expected = plain(*given)
    with torch.autocast("cpu", torch.bfloat16):
        under_autocast = plain(*given)
    for ours, theirs, exact in zip(low(*given), under_autocast, expected, strict=True):
        assert ours.dtype == torch.float32
        error, usual = ((one - exact).square().mean().sqrt() for one in (ours, theirs))
        assert 0 < error < 1.5 * usual
        assert error < 0.1 * exact.square().mean().sqrt()


def test_normalisations_keep_their_weights():
    network = SRUNet(SR)
    to_bfloat16(network)
    kept = {name for name, parameter in network.named_parameters() if parameter.dtype == torch.float32}
    assert kept == {
        f"{name}.{own}"
        for name, module in network.named_modules()
        if isinstance(module, torch.nn.GroupNorm)
        for own in ("weight", "bias")
    }
