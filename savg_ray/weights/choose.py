"""Which weights a run uses: the official ones, the bundled small ones, or fillings without any meaning."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from torch import nn

from savg_ray.errors import UserError
from savg_ray.files import file_sha256
from savg_ray.weights.bundle import BUNDLED, Bundle, file_name
from savg_ray.weights.load import load_state_dict, load_strict
from savg_ray.weights.store import WeightStore

WeightsMode = Literal["official", "bundled", "filled"]
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
        mode: ``official``, ``bundled`` (the small networks of this package) or ``filled``.
        store: where official files lie. A file ``<name>.safetensors`` there, of one's own training, goes before the
            bundled one.
        bundle: where the bundled files lie.

    Raises:
        UserError: another mode.
    """

    mode: WeightsMode
    store: WeightStore
    bundle: Bundle = field(default_factory=Bundle)

    def __post_init__(self) -> None:
        if self.mode not in get_args(WeightsMode):
            raise UserError(f"--weights {self.mode} is unknown; use one of {', '.join(get_args(WeightsMode))}")

    def resolve(self, name: str) -> ResolvedWeights:
        """Weights of one network; an official or bundled file is checked.

        Raises:
            UserError: no network of this name, no such weights of it, or its file is missing or not the right one.
        """
        if name in BUNDLED:
            return ResolvedWeights(name, FILLED, None, None) if self.mode == "filled" else self._small(name)
        file = self.store.file(name)
        if self.mode == "filled":
            return ResolvedWeights(name, FILLED, None, None)
        if self.mode == "bundled":
            raise UserError(
                f"no weights of {name} are bundled: --weights bundled is for the small networks of preset laptop; "
                "leave it out"
            )
        path = self.store.path(name)
        if not path.is_file():
            raise UserError(
                f"the weights {file.file_name} ({name}) are not in {self.store.root}: get them with `savg weights "
                f"fetch {name}`, name the folder that holds them with `--weights-dir DIR`, or use `--weights filled` "
                "for a run whose numbers carry no meaning"
            )
        return ResolvedWeights(name, f"official ({file.file_name})", self.store.sha256(name), path)

    def _small(self, name: str) -> ResolvedWeights:
        own = self.store.root / file_name(name)
        if own.is_file():
            return ResolvedWeights(name, f"own ({own})", file_sha256(own), own)
        if self.mode == "official":
            raise UserError(
                f"there are no official weights of {name}, a small network of preset laptop: leave --weights out, or "
                f"put {own.name} of your own into the folder that `--weights-dir DIR` names"
            )
        path = self.bundle.path(name)
        return ResolvedWeights(name, f"bundled ({path.name})", self.bundle.sha256(name), path)


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
