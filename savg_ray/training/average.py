"""The average of the weights that is validated and exported."""

from collections.abc import Callable, Iterable

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from savg_ray.errors import UserError
from savg_ray.training.config import AverageConfig


class WeightAverage:
    """An average beside a network in training; without one, the network itself.

    Buffers are those of the network as it is now.

    Args:
        network: on its device; it is copied.
        config: which average.

    Raises:
        UserError: the network has batch normalisation, whose statistics the average would not fit.
    """

    def __init__(self, network: nn.Module, config: AverageConfig) -> None:
        self._network, self._config = network, config
        self._average: AveragedModel | None = None
        if config.kind != "none":
            _check_statistics(network, config)
            rule = get_ema_multi_avg_fn(config.decay) if config.kind == "ema" else None
            self._average = AveragedModel(network, multi_avg_fn=rule)

    def update(self, step: int) -> None:
        """Take in the weights after a step."""
        config = self._config
        if self._average is None or step < config.first_step or (step - config.first_step) % config.every:
            return
        self._average.update_parameters(self._network)

    @property
    def network(self) -> nn.Module:
        """The averaged network; the trained one before the average began, or where there is none."""
        if self._average is None or int(self._average.n_averaged) == 0:
            return self._network
        # Parameters are averaged, running statistics are not.
        for own, current in zip(self._average.module.buffers(), self._network.buffers(), strict=True):
            own.copy_(current)
        return self._average.module

    @property
    def needs_statistics(self) -> bool:
        """Whether the running statistics of the average have to be measured anew."""
        average = self._average
        return average is not None and self._config.bn_batches > 0 and int(average.n_averaged) > 0

    def state(self) -> dict[str, torch.Tensor] | None:
        """For a checkpoint."""
        return None if self._average is None else self._average.state_dict()

    def load(self, state: dict[str, torch.Tensor] | None) -> None:
        """From a checkpoint."""
        if self._average is not None and state is not None:
            self._average.load_state_dict(state)


@torch.no_grad()
def measure_statistics(network: nn.Module, batches: Iterable[object], run: Callable[[object], object]) -> None:
    """Running statistics of batch normalisation as the plain mean over some batches.

    Args:
        network: left in training mode.
        batches: what ``run`` is given, one after another.
        run: passes a batch through the network.
    """
    layers = _normalising(network)
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None
    network.train()
    for batch in batches:
        run(batch)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


def _check_statistics(network: nn.Module, config: AverageConfig) -> None:
    if config.bn_batches == 0 and _normalising(network):
        raise UserError(
            f"average.kind is {config.kind}, but the running statistics of this network's batch normalisation do not "
            "fit averaged weights; set average.bn_batches, on which they are measured anew (10, say), or "
            "average.kind: none."
        )


def _normalising(network: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    """Its layers that keep running statistics."""
    layers = (layer for layer in network.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm))
    return [layer for layer in layers if layer.track_running_stats]
