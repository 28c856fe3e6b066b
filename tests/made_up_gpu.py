"""A GPU that has shapes, dtypes and devices, and computes nothing: what runs on it mixes no devices.

PyTorch's fake tensors stand for those on the GPU. They refuse operations on tensors of two devices, and a look at a
value. What is copied to the CPU comes back as zeros.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves


class _FakeOnGpu(TorchFunctionMode):
    def __init__(self, fake: FakeTensorMode) -> None:
        super().__init__()
        self._fake = fake

    def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        device = _device_asked_for(function, args, kwargs)
        if device == "cuda" and function in (torch.tensor, torch.Tensor.to, torch.Tensor.cuda):
            given = args[0] if function is not torch.tensor else torch.tensor(args[0], dtype=kwargs.get("dtype"))
            if not isinstance(given, FakeTensor):
                dtype = next((arg for arg in (*args, *kwargs.values()) if isinstance(arg, torch.dtype)), given.dtype)
                with self._fake:
                    return torch.empty(given.shape, dtype=dtype, device="cuda")
        on_gpu = any(_is_on_gpu(value) for value in tree_leaves((args, kwargs)))
        if device == "cpu" and on_gpu:
            return torch.zeros(args[0].shape, dtype=args[0].dtype)
        if device == "cuda" or on_gpu:
            with self._fake:
                return function(*args, **kwargs)
        return function(*args, **kwargs)


def _is_on_gpu(value: Any) -> bool:
    return isinstance(value, FakeTensor) and value.fake_device.type == "cuda"


def _device_asked_for(function: Any, args: tuple, kwargs: dict) -> str | None:
    if function in (torch.Tensor.cpu, torch.Tensor.cuda):
        return function.__name__
    asked = kwargs.get("device")
    if function is torch.Tensor.to and asked is None:
        asked = next((arg for arg in args[1:2] if isinstance(arg, (str, torch.device))), None)
    return None if asked is None else torch.device(asked).type


def _moved(module: nn.Module, device: torch.device | str) -> nn.Module:
    # Parameters of a module cannot become fake in place; new ones take their places.
    for part in module.modules():
        for name, parameter in part._parameters.items():
            if parameter is not None:
                part._parameters[name] = nn.Parameter(parameter.detach().to(device), parameter.requires_grad)
        for name, buffer in part._buffers.items():
            if buffer is not None:
                part._buffers[name] = buffer.to(device)
    return module


@contextmanager
def made_up_gpu() -> Iterator[FakeTensorMode]:
    """What goes to ``cuda`` in this context is fake; yields the mode in which everything made is fake."""
    fake = FakeTensorMode(allow_non_fake_inputs=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.Module, "to", _moved)
        patch.setattr(torch.cuda, "is_bf16_supported", lambda *_: True)
        patch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
        patch.setattr(torch.cuda, "mem_get_info", lambda *_: (100 * 2**30, 140 * 2**30))
        for name in ("memory_allocated", "memory_reserved", "max_memory_allocated"):
            patch.setattr(torch.cuda, name, lambda *_: 0)
        patch.setattr(torch.cuda, "reset_peak_memory_stats", lambda *_: None)
        with _FakeOnGpu(fake):
            yield fake
