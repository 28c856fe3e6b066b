"""Calls of a network that a GPU repeats from a recording (CUDA graphs), without a step of Python in between.

A forward pass of the diffusion networks starts thousands of short kernels. With few clips in a pass the GPU is done
with one before the processor has started the next; a recording starts all of them at once.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

Outputs = Tensor | tuple[Tensor, ...]
Forward = Callable[..., Outputs]

# A call's first times load kernels and are those that memory is measured by (`savg_ray.sampling.fitted_parts`).
_PLAIN_CALLS = 2

_log = logging.getLogger("savg_ray")


class Recording(Protocol):
    """One forward pass for inputs of fixed shapes."""

    def __call__(self, inputs: Sequence[Tensor]) -> Outputs:
        """The outputs for other inputs of the same shapes and dtypes; the caller may keep them."""


def record_calls(network: nn.Module, record: Callable[[Forward, Sequence[Tensor]], Recording] | None = None) -> None:
    """Have the calls of a network recorded, in place, at the third time that its inputs have some shapes.

    Nothing but the inputs may change from call to call, all of them tensors on the GPU. Calls that ask for gradients
    are made as ever, and so are those of shapes that cannot be recorded, which is logged once.

    Args:
        network: in evaluation mode, on its GPU; compiled blocks may be part of it.
        record: makes a recording; None for CUDA graphs.
    """
    network.forward = _RecordedForward(network.forward, record or CudaGraphs())


class _RecordedForward:
    def __init__(self, forward: Forward, record: Callable[[Forward, Sequence[Tensor]], Recording]) -> None:
        self._forward, self._record = forward, record
        self._n_calls: dict[tuple, int] = {}
        self._recordings: dict[tuple, Recording | None] = {}

    def __call__(self, *inputs: Tensor) -> Outputs:
        if torch.is_grad_enabled():
            return self._forward(*inputs)
        shapes = tuple((tensor.shape, tensor.dtype) for tensor in inputs)
        self._n_calls[shapes] = self._n_calls.get(shapes, 0) + 1
        if self._n_calls[shapes] <= _PLAIN_CALLS:
            return self._forward(*inputs)
        if shapes not in self._recordings:
            self._recordings[shapes] = self._recorded(inputs)
        recording = self._recordings[shapes]
        return self._forward(*inputs) if recording is None else recording(inputs)

    def _recorded(self, inputs: Sequence[Tensor]) -> Recording | None:
        try:
            return self._record(self._forward, inputs)
        except RuntimeError as error:  # running out of memory among them
            first_line = str(error).partition("\n")[0]
            _log.warning("calls with %d rows cannot be recorded and stay plain: %s", len(inputs[0]), first_line)
            return None


class CudaGraphs:
    """Records forward passes as CUDA graphs, which share the memory of what they reckon with on the way.

    They may share it because one is played at a time, and each has inputs and outputs of its own.
    """

    def __init__(self) -> None:
        self._pool = None

    def __call__(self, forward: Forward, inputs: Sequence[Tensor]) -> Recording:
        """The recording of one forward pass."""
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
        return _CudaGraph(forward, inputs, self._pool)


class _CudaGraph:
    def __init__(self, forward: Forward, inputs: Sequence[Tensor], pool: tuple[int, int]) -> None:
        # Tensors of inference mode could not be written to outside it.
        with torch.inference_mode(False):
            self._inputs = [tensor.clone() for tensor in inputs]
        # A stream's first call sets up libraries, which must not happen while it is recorded.
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            forward(*self._inputs)
        torch.cuda.current_stream().wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, pool=pool, stream=stream):
            self._outputs = forward(*self._inputs)

    def __call__(self, inputs: Sequence[Tensor]) -> Outputs:
        for kept, given in zip(self._inputs, inputs, strict=True):
            kept.copy_(given)
        self._graph.replay()
        if isinstance(self._outputs, Tensor):
            return self._outputs.clone()
        return tuple(output.clone() for output in self._outputs)
