"""Which weights a run uses: the official ones, or fillings that let everything run without a download."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from torch import nn

from savg_ray.errors import UserError
from savg_ray.weights.load import load_state_dict, load_strict
from savg_ray.weights.store import WeightStore

WeightsMode = Literal["official", "filled"]
FILLED = "filled (numbers carry no meaning)"


@dataclass(frozen=True)
class ResolvedWeights:
    """Weights of one network, as plain data that travels to workers.

    Attributes:
        name: the network.
        source: where they come from, for people; written to ``metrics.json``.
        sha256: sum of the file; None for filled weights.
        path: the file; None for filled weights.
    """

    name: str
    source: str
    sha256: str | None
    path: Path | None


@dataclass(frozen=True)
class WeightsChoice:
    """A run's choice of weights.

    Attributes:
        mode: ``official`` or ``filled``.
        store: where official files lie.

    Raises:
        UserError: another mode.
    """

    mode: WeightsMode
    store: WeightStore

    def __post_init__(self) -> None:
        if self.mode not in get_args(WeightsMode):
            raise UserError(f"--weights {self.mode} is unknown; use {' or '.join(get_args(WeightsMode))}")

    def resolve(self, name: str) -> ResolvedWeights:
        """Weights of one network; an official file is checked.

        Raises:
            UserError: no network of this name, or its official file is missing or not the right one.
        """
        file = self.store.file(name)
        if self.mode == "filled":
            return ResolvedWeights(name, FILLED, None, None)
        path = self.store.path(name)
        if not path.is_file():
            raise UserError(
                f"the weights {file.file_name} ({name}) are not in {self.store.root}: get them with `savg weights "
                f"fetch {name}`, name the folder that holds them with `--weights-dir DIR`, or use `--weights filled` "
                "for a run whose numbers carry no meaning"
            )
        return ResolvedWeights(name, f"official ({file.file_name})", self.store.sha256(name), path)


def load_network(
    resolved: ResolvedWeights,
    build: Callable[[], nn.Module],
    fill: Callable[[nn.Module], nn.Module],
) -> nn.Module:
    """A built network with its weights.

    Raises:
        UserError: the file is missing here, damaged, or of another network.
    """
    network = build()
    if resolved.path is None:
        return fill(network)
    load_strict(network, load_state_dict(resolved.path, resolved.name), resolved.path)
    return network
