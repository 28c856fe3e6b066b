"""Golden cases of the two diffusion networks: configurations, inputs, results of the official code."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from savg_ray.weights.fill import fill_deterministic

GOLDEN = Path(__file__).parents[1] / "golden" / "diffusion"


def golden_config(name: str) -> dict[str, Any]:
    return json.loads((GOLDEN / f"{name}.json").read_text())


def golden_tensors(name: str) -> dict[str, Tensor]:
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as archive:
        return {key: torch.from_numpy(archive[key]) for key in archive.files}


def filled(network: nn.Module, name: str) -> nn.Module:
    return fill_deterministic(network.eval(), golden_config(name)["fill_salt"])


def filled_cheaply(build: Callable[[], nn.Module]) -> nn.Module:
    """A network in evaluation mode whose layers keep the size of what they are given; fast for many parameters."""
    with torch.device("meta"):
        network = build()
    network.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=parameter[0].numel() ** -0.5, generator=generator)
            else:
                parameter.uniform_(0.9, 1.1, generator=generator)
    return network.eval()


def check_official_manifest(network: nn.Module, name: str) -> None:
    manifest = json.loads(gzip.decompress((GOLDEN / f"manifest_{name}.json.gz").read_bytes()))
    state = network.state_dict()
    entries = [[key, list(t.shape), str(t.dtype).removeprefix("torch.")] for key, t in state.items()]
    assert entries == manifest["entries"]
    assert sum(p.numel() for p in network.parameters()) == manifest["n_params"]
    assert not list(network.buffers())


def worst(results: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> float:
    assert [r.shape for r in results] == [e.shape for e in expected]
    return max((r.double() - e.double()).abs().max().item() for r, e in zip(results, expected, strict=True))
