"""Deterministic pseudo-random weights, so that a network can run, and be compared, without a checkpoint."""

import hashlib
import json
import zlib
from collections.abc import Mapping

import numpy as np
import torch
from torch import nn


def normal_array(key: str, shape: tuple[int, ...], salt: int) -> np.ndarray:
    """Standard normal float32 array that depends on nothing but its arguments (PCG64 seeded by crc32(key) + salt)."""
    seed = zlib.crc32(key.encode()) + salt
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape).astype(np.float32)


def fill_deterministic(
    module: nn.Module,
    salt: int,
    gain: float = 1.0,
    exceptions: Mapping[str, np.ndarray] | None = None,
) -> nn.Module:
    """Overwrite every entry of ``module.state_dict()`` with reproducible numbers and return the module.

    Matrices and kernels get variance gain² / fan-in, scales 1 + 0.1 n, biases 0.05 n, running means 0.1 n and
    running variances exp(0.1 n), so that activations neither fade nor explode. ``exceptions`` maps a key to the
    array to use instead. Numbers computed on filled weights carry no meaning; they only compare implementations.
    """
    exceptions = exceptions or {}
    state = module.state_dict()
    unknown = sorted(set(exceptions) - set(state))
    if unknown:
        raise KeyError(f"exceptions name entries that the module does not have: {', '.join(unknown)}")
    with torch.no_grad():
        for key, tensor in state.items():
            value = exceptions.get(key)
            if value is None:
                value = _filled(key, tuple(tensor.shape), salt, gain)
            tensor.copy_(torch.as_tensor(np.asarray(value)).reshape(tensor.shape))
    return module


def filling_sha256(network: nn.Module) -> str:
    """A digest of what filling gives a network: its entries by name, shape and type, in their order.

    The values follow from these; the network may lie on the meta device.
    """
    entries = [[key, list(tensor.shape), str(tensor.dtype)] for key, tensor in network.state_dict().items()]
    return hashlib.sha256(json.dumps(entries).encode()).hexdigest()


def _filled(key: str, shape: tuple[int, ...], salt: int, gain: float) -> np.ndarray:
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    n = normal_array(key, shape, salt)
    if key.endswith("running_mean"):
        return np.float32(0.1) * n
    if key.endswith("running_var"):
        return np.exp(np.float32(0.1) * n)
    if len(shape) >= 2:
        return n * np.float32(gain / np.sqrt(np.prod(shape[1:])))
    if len(shape) == 1 and key.endswith("weight"):
        return np.float32(1.0) + np.float32(0.1) * n
    return np.float32(0.05) * n
