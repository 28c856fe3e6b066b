import math
import zlib

import numpy as np
import pytest
import torch
from torch import nn

from savg_ray.weights.fill import fill_deterministic, normal_array

SALT = 1000
GAIN = math.sqrt(2)


class EveryRule(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 6, 3)
        self.bn = nn.BatchNorm2d(6)
        self.fc = nn.Linear(5, 2)
        self.scalar = nn.Parameter(torch.zeros(()))
        self.embedding = nn.Parameter(torch.zeros(7))
        self.precise = nn.Parameter(torch.zeros(3, 2, dtype=torch.float64))


def normal(key, shape):
    # golden/metrics/README.md, section 0.
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode()) + SALT))
    return generator.standard_normal(shape).astype(np.float32)


def expected(key, shape):
    if key == "bn.num_batches_tracked":
        return np.zeros(shape)
    n = normal(key, shape)
    return {
        "conv.weight": lambda: n * np.float32(GAIN / math.sqrt(4 * 3 * 3)),
        "conv.bias": lambda: 0.05 * n,
        "bn.weight": lambda: 1 + 0.1 * n,
        "bn.bias": lambda: 0.05 * n,
        "bn.running_mean": lambda: 0.1 * n,
        "bn.running_var": lambda: np.exp(0.1 * n),
        "fc.weight": lambda: n * np.float32(GAIN / math.sqrt(5)),
        "fc.bias": lambda: 0.05 * n,
        "scalar": lambda: 0.05 * n,
        "embedding": lambda: 0.05 * n,
        "precise": lambda: n * np.float32(GAIN / math.sqrt(2)),
    }[key]()


def test_every_rule():
    module = EveryRule()
    dtypes = {key: tensor.dtype for key, tensor in module.state_dict().items()}
    assert fill_deterministic(module, SALT, GAIN) is module
    for key, tensor in module.state_dict().items():
        assert tensor.dtype == dtypes[key]
        np.testing.assert_allclose(tensor.numpy(), expected(key, tuple(tensor.shape)), rtol=2e-7, err_msg=key)


def test_values_do_not_drift():
    found = normal_array("conv.weight", (2, 2), SALT)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.float32([[-1.0334448, -0.35471776], [-0.4960152, 0.86650014]]))


def test_salt_gain_and_key_matter():
    filled = {
        name: fill_deterministic(nn.Linear(4, 4), salt, gain).weight.detach().clone()
        for name, salt, gain in [("a", 1, 1.0), ("same", 1, 1.0), ("salt", 2, 1.0), ("gain", 1, 2.0)]
    }
    assert torch.equal(filled["a"], filled["same"])
    assert not torch.equal(filled["a"], filled["salt"])
    torch.testing.assert_close(filled["gain"], 2 * filled["a"])
    assert not np.array_equal(normal_array("a", (4,), 0), normal_array("b", (4,), 0))


def test_exceptions():
    module = EveryRule()
    ramp = np.arange(7)
    fill_deterministic(module, SALT, GAIN, {"embedding": ramp, "bn.num_batches_tracked": np.array(5)})
    np.testing.assert_array_equal(module.embedding.detach().numpy(), ramp.astype(np.float32))
    assert module.bn.num_batches_tracked.item() == 5
    np.testing.assert_allclose(module.fc.bias.detach().numpy(), expected("fc.bias", (2,)), rtol=2e-7)


def test_exception_for_a_key_that_is_not_there():
    module = EveryRule()
    before = module.fc.weight.detach().clone()
    with pytest.raises(KeyError, match=r"fc\.wieght"):
        fill_deterministic(module, SALT, GAIN, {"fc.wieght": np.zeros(1)})
    assert torch.equal(module.fc.weight, before)
