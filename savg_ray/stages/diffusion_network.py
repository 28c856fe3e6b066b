"""A network of the diffusion, ready for its many calls: its weights, its precision, and what makes it faster."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from savg_ray.networks.compiled_blocks import compile_blocks
from savg_ray.networks.low_precision import to_bfloat16
from savg_ray.networks.recorded_calls import record_calls
from savg_ray.sampling.config import Arithmetic
from savg_ray.stages.network_stage import Precision, place_network
from savg_ray.weights.choose import ResolvedWeights
from savg_ray.weights.fill import fill_deterministic


@dataclass(frozen=True)
class DiffusionNetwork:
    """Which network, before it is anywhere.

    Attributes:
        build: with weights of no meaning.
        repeated: classes of its blocks, which may be compiled.
        fill_salt: of deterministic weights.
    """

    build: Callable[[], nn.Module]
    repeated: tuple[type[nn.Module], ...]
    fill_salt: int

    def placed(
        self, weights: ResolvedWeights, place: torch.device, precision: Precision, arithmetic: Arithmetic
    ) -> nn.Module:
        """The network on its device, in evaluation mode.

        Args:
            weights: where its weights come from.
            place: its device.
            precision: as resolved for the device.
            arithmetic: what else was asked for.
        """
        network = place_network(weights, self.build, self._filled, place)
        if precision == "bfloat16":
            to_bfloat16(network)
        if arithmetic.compile:
            compile_blocks(network, self.repeated)
        if arithmetic.cuda_graphs and place.type == "cuda":
            record_calls(network)
        return network

    def _filled(self, network: nn.Module) -> nn.Module:
        return fill_deterministic(network, self.fill_salt)
