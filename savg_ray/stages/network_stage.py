"""What the stages with a neural network share: loading on a device, and the precision of its arithmetic."""

from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Literal

import numpy as np
import torch
from torch import nn

from savg_ray.stages.stage import ModelStage, Row
from savg_ray.weights.choose import ResolvedWeights, load_network
from savg_ray.weights.fill import filling_sha256

Precision = Literal["float32", "bfloat16"]


class NetworkStage(ModelStage):
    """A model stage around one network.

    Args:
        weights: where its weights come from.
        precision: ``float32``, or ``bfloat16`` for matrix products and convolutions where the network allows it.
    """

    def __init__(self, weights: ResolvedWeights, precision: Precision) -> None:
        self.weights = weights
        self.precision = precision

    @abstractmethod
    def build(self) -> nn.Module:
        """The network, with weights of no meaning."""

    @abstractmethod
    def fill(self, network: nn.Module) -> nn.Module:
        """The network, filled deterministically."""

    def weights_identity(self) -> str:
        """What distinguishes its weights from all others: the sum of their file, or what is filled."""
        if self.weights.sha256 is not None:
            return self.weights.sha256
        with torch.device("meta"):
            network = self.build()
        return f"{self.weights.source} {filling_sha256(network)}"

    @abstractmethod
    def run_together(self, rows: list[Row]) -> list[np.ndarray]:
        """One array for each row, from shared forward passes."""

    def run(self, rows: list[Row]) -> list[np.ndarray]:
        """One array for each row: together on a GPU, one after another on a CPU.

        A CPU gains nothing from larger batches, and a clip computed alone has the same bits whatever its batch mates.
        """
        if self.device.type == "cpu":
            return [self.run_together([row])[0] for row in rows]
        return self.run_together(rows)

    def load(self, device: str) -> None:
        """Build the network, load its weights, and move it to the device."""
        self.device = torch.device(device)
        self.network = place_network(self.weights, self.build, self.fill, self.device)

    def arithmetic(self) -> AbstractContextManager:
        """The context in which the network runs."""
        return arithmetic(self.device, self.precision)


def place_network(
    weights: ResolvedWeights,
    build: Callable[[], nn.Module],
    fill: Callable[[nn.Module], nn.Module],
    device: torch.device,
) -> nn.Module:
    """A network with its weights, in evaluation mode, on its device."""
    if device.type == "cuda":
        # Float32 means float32: TF32 would move every feature by 1e-3.
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
    return load_network(weights, build, fill).eval().requires_grad_(False).to(device)


def arithmetic(device: torch.device, precision: Precision) -> AbstractContextManager:
    """A context in which networks run in a precision; it may be entered again and again."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
