"""What a forward pass of the diffusion networks would take at least on a GPU, reckoned from shapes alone.

    python -m benchmarks.gpu_bound
    python -m benchmarks.gpu_bound --official path/to/SAVGBench/joint_method
    python -m benchmarks.gpu_bound --bfloat16-tflop-s 400 --float32-tflop-s 40 --memory-tb-s 1.5

No GPU is needed and nothing is measured: PyTorch's fake tensors tell which operations would run, and on what. Each is
taken to need the time of its arithmetic or that of reading its inputs and writing its outputs, whichever is longer,
with nothing fused and attention in one kernel. Real kernels need more; compiled blocks read and write less. It shows
where time must go, and which share of the matmul peak is left at best. The defaults are an H200's.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import torch.nn.functional as F
import typer
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from benchmarks.unets import official_mm_unet, official_sr_unet
from jobs.command import run_command
from savg_ray.networks.low_precision import to_bfloat16
from savg_ray.networks.mm_unet import MMUNet
from savg_ray.networks.sr_unet import SRUNet
from savg_ray.networks.unet_config import MMUNetConfig, SRUNetConfig

_LISTED_OPERATIONS = 8
_CHANNELS_LAST = {F.conv2d: torch.channels_last, F.conv3d: torch.channels_last_3d}
_aten = torch.ops.aten
_MOVE_NOTHING = (_aten._unsafe_view, _aten.empty_like, _aten.empty)


@dataclass(frozen=True)
class Gpu:
    """What a GPU reaches in large matrix products, and in copying.

    Attributes:
        flop_s: arithmetic (2 a multiply-add) in a second, by dtype.
        byte_s: of its memory, read and written, in a second.
    """

    flop_s: dict[torch.dtype, float]
    byte_s: float


@dataclass
class Cost:
    """What the operations of one name come to."""

    n: int = 0
    flop: float = 0.0
    bytes: float = 0.0
    s: float = 0.0


class Reckoning(TorchDispatchMode):
    """Adds up what the operations that run in its context would take.

    Attributes:
        costs: by name of the operation.
    """

    def __init__(self, gpu: Gpu) -> None:
        super().__init__()
        self._gpu = gpu
        self.costs: dict[str, Cost] = defaultdict(Cost)

    def __torch_dispatch__(self, operation: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        out = operation(*args, **kwargs)
        name = operation._schema.name
        if not name.startswith("aten::") or _moves_nothing(operation):
            return out
        count = flop_registry.get(operation.overloadpacket)
        flop = count(*args, **kwargs, out_val=out) if count else 0
        given = {key: value for key, value in kwargs.items() if key != "out"}
        self.add(name.removeprefix("aten::"), flop, [*_tensors((args, given)), *_tensors(out)])
        return out

    def add(self, name: str, flop: float, tensors: list[Tensor]) -> None:
        """Note one operation that reads or writes some tensors."""
        n_bytes = sum(map(_bytes, tensors))
        rate = self._gpu.flop_s.get(tensors[0].dtype if tensors else torch.float32, 0)
        cost = self.costs[name]
        cost.n += 1
        cost.flop += flop
        cost.bytes += n_bytes
        cost.s += max(flop / rate if flop else 0, n_bytes / self._gpu.byte_s)


class _AsOnGpus(TorchFunctionMode):
    """What PyTorch chooses otherwise without a GPU: the kernel of attention, and the order of bfloat16 pixels."""

    def __init__(self, reckoning: Reckoning) -> None:
        super().__init__()
        self._reckoning = reckoning

    def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if function is F.scaled_dot_product_attention:
            q, k, v = args
            self._reckoning.add("scaled_dot_product_attention", 4 * q.numel() * k.shape[-2], [q, k, v, q])
            return torch.empty_like(q)
        out = function(*args, **(kwargs or {}))
        if function in _CHANNELS_LAST and args[0].is_contiguous(memory_format=_CHANNELS_LAST[function]):
            return torch.empty(out.shape, dtype=out.dtype, memory_format=_CHANNELS_LAST[function])
        return out


def _moves_nothing(operation: Any) -> bool:
    return operation.is_view or operation.overloadpacket in _MOVE_NOTHING


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _bytes(tensor: Tensor) -> int:
    """Of memory; expanded dimensions repeat the same."""
    n = 1
    for size, stride in zip(tensor.shape, tensor.stride(), strict=True):
        n *= size if stride else 1
    return n * tensor.element_size()


@contextmanager
def _on_a_fake_gpu() -> Iterator[None]:
    with FakeTensorMode(), torch.device("cuda"), torch.no_grad():
        yield


def _clip(n: int) -> tuple[Tensor, ...]:
    return torch.randn(n, 20, 3, 64, 64), torch.randn(n, 2, 80000), torch.zeros(n, dtype=torch.long)


def _frames(n: int) -> tuple[Tensor, ...]:
    return torch.randn(n, 3, 256, 256), torch.zeros(n, dtype=torch.long), torch.randn(n, 3, 64, 64)


def _with_shifts(n: int) -> tuple[Tensor, ...]:
    return *_clip(n), torch.zeros(n, len(MMUNet(MMUNetConfig.official()).shift_keys), dtype=torch.long)


@dataclass(frozen=True)
class Case:
    """A network and how many clips or frames it is given."""

    name: str
    build: Callable[[], nn.Module]
    inputs: Callable[[int], tuple[Tensor, ...]]
    n: int
    low_precision: bool


def bound(case: Case, gpu: Gpu) -> dict[str, Any]:
    """The record of one case."""
    with _on_a_fake_gpu():
        network, inputs = case.build().eval(), case.inputs(case.n)
        if case.low_precision:
            to_bfloat16(network)
        with Reckoning(gpu) as reckoning, _AsOnGpus(reckoning):
            network(*inputs)
    costs = reckoning.costs.values()
    total_s, flop = (sum(getattr(cost, name) for cost in costs) for name in ("s", "flop"))
    peak = gpu.flop_s[torch.bfloat16 if case.low_precision else torch.float32]
    slowest = sorted(reckoning.costs.items(), key=lambda item: -item[1].s)[:_LISTED_OPERATIONS]
    return {
        "network": case.name,
        "rows": case.n,
        "precision": "bfloat16" if case.low_precision else "float32",
        "tflop": round(flop / 1e12, 2),
        "gbyte": round(sum(cost.bytes for cost in costs) / 1e9, 1),
        "operations": sum(cost.n for cost in costs),
        "at_least_ms_a_row": round(1000 * total_s / case.n, 3),
        "share_of_peak_at_best": round(flop / peak / total_s, 2),
        "ms_a_row_by_operation": {name: round(1000 * cost.s / case.n, 3) for name, cost in slowest},
    }


def gpu_bound(
    official: Annotated[Path | None, typer.Option(help="Folder of the official package mm_diffusion.")] = None,
    clips: Annotated[int, typer.Option(min=1, help="Clips in a forward pass of the multimodal UNet.")] = 8,
    frames: Annotated[int, typer.Option(min=1, help="Frames in one of super-resolution.")] = 64,
    bfloat16_tflop_s: Annotated[float, typer.Option(help="Of large matrix products.")] = 790,
    float32_tflop_s: Annotated[float, typer.Option(help="The same in float32.")] = 55,
    memory_tb_s: Annotated[float, typer.Option(help="Of copying.")] = 4.0,
) -> None:
    """Reckon the bounds of both networks, ours and, if it is at hand, the official code."""
    rates = {torch.bfloat16: bfloat16_tflop_s * 1e12, torch.float32: float32_tflop_s * 1e12}
    gpu = Gpu(rates, memory_tb_s * 1e12)
    cases = [
        Case(name, build, inputs, n, low_precision)
        for name, build, inputs, n in (
            ("mm_unet", lambda: MMUNet(MMUNetConfig.official()), _with_shifts, clips),
            ("sr_unet", lambda: SRUNet(SRUNetConfig.official()), _frames, frames),
        )
        for low_precision in (True, False)
    ]
    if official is not None:
        sys.path.insert(0, str(official))
        # As the official sampler: four clips in a forward pass, and the frames of one clip.
        cases.append(Case("official mm_unet", official_mm_unet, _clip, 4, False))
        cases.append(Case("official sr_unet", official_sr_unet, _frames, 20, False))
    for case in cases:
        print(json.dumps(bound(case, gpu)), flush=True)


if __name__ == "__main__":
    run_command(gpu_bound)
