"""One step of optimisation after another: gradients of parts, the optimiser, the average of the weights."""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from savg_ray.training.average import WeightAverage
from savg_ray.training.config import OptimiserConfig, TrainingConfig
from savg_ray.training.examples import Share
from savg_ray.training.learning_rate import learning_rate
from savg_ray.training.task import Batch, Task

_DTYPES = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


class NotFiniteError(Exception):
    """A part of a step had a loss that is no finite number.

    Args:
        step: which one.
        rank: the first worker it happened to.
        part: the first such part of that worker's share.
    """

    def __init__(self, step: int, rank: int, part: int) -> None:
        super().__init__(step, rank, part)
        self.step, self.rank, self.part = step, rank, part


class Learner:
    """A network in training and everything that changes with it.

    Args:
        task: gives the loss.
        network: on the share's device.
        config: how to train.
        share: the worker; with several, torch.distributed must be ready.
        n_parts: parts of a step.
    """

    def __init__(self, task: Task, network: nn.Module, config: TrainingConfig, share: Share, n_parts: int) -> None:
        self._task, self._config, self._share, self._n_parts = task, config, share, n_parts
        self.network = network
        self.average = WeightAverage(network, config.average)
        self._wrapped = DistributedDataParallel(network) if share.world > 1 else network
        self._optimiser = _optimiser(network, config.optimiser)
        self._device = torch.device(share.device)
        self._scaler = torch.amp.GradScaler(self._device.type, enabled=config.precision == "float16")
        self.step = 0

    def take_step(self, parts: Iterator[Batch]) -> dict[str, float]:
        """One step on the next parts of ``parts``; the means of the task's values over all workers' examples.

        Raises:
            NotFiniteError: on every worker, before any weight has changed.
        """
        step = self.step + 1
        rate = learning_rate(step, self._config.steps, self._config.optimiser, self._config.schedule)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self.network.train()
        self._optimiser.zero_grad(set_to_none=True)
        own = [self._backward(step, part, next(parts)) for part in range(self._n_parts)]
        values = self._mean_over_workers(step, own)
        self._scaler.unscale_(self._optimiser)
        clip_norm = self._config.optimiser.clip_norm
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), clip_norm or float("inf"))
        self._scaler.step(self._optimiser)
        self._scaler.update()
        self.step = step
        self.average.update(step)
        return {**values, "gradient_norm": float(norm), "learning_rate": rate}

    def loss(self, batch: Batch) -> dict[str, torch.Tensor]:
        """The task's values of a batch, in the precision of the configuration."""
        batch = {name: self._placed(name, column) for name, column in batch.items()}
        dtype = _DTYPES[self._config.precision]
        with torch.autocast(self._device.type, dtype or torch.bfloat16, enabled=dtype is not None):
            return self._task.loss(self._wrapped, batch)

    def state(self) -> dict[str, Any]:
        """Everything that a checkpoint must keep to go on as if nothing had happened."""
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average.state(),
            "optimiser": self._optimiser.state_dict(),
            "scaler": self._scaler.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint's state, of the same network."""
        self.network.load_state_dict(state["network"])
        self.average.load(state["average"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._scaler.load_state_dict(state["scaler"])
        self.step = state["step"]

    def _placed(self, name: str, column: torch.Tensor) -> torch.Tensor:
        # Random numbers are drawn on the CPU; to read the draws back from a GPU would make both wait.
        return column if name == "draw" else column.to(self._device, non_blocking=True)

    def _backward(self, step: int, part: int, batch: Batch) -> dict[str, torch.Tensor]:
        # Dropout and the like, the only randomness that is torch's own, begins anew in every part of every step.
        torch.manual_seed(_part_seed(self._config.seed, step, part, self._share.rank))
        last = part == self._n_parts - 1
        waits = self._share.world > 1 and not last
        with self._wrapped.no_sync() if waits else nullcontext():
            values = self.loss(batch)
            self._scaler.scale(values["loss"] / self._n_parts).backward()
        return {name: value.detach().float() for name, value in values.items()}

    def _mean_over_workers(self, step: int, parts: list[dict[str, torch.Tensor]]) -> dict[str, float]:
        names = list(parts[0])
        table = torch.zeros(self._share.world, self._n_parts, len(names), device=self._device)
        table[self._share.rank] = torch.stack([torch.stack([part[name] for name in names]) for part in parts])
        if self._share.world > 1:
            dist.all_reduce(table)
        bad = torch.nonzero(~torch.isfinite(table[:, :, names.index("loss")]))
        if len(bad):
            rank, part = bad[0].tolist()
            raise NotFiniteError(step, rank, part)
        return dict(zip(names, table.mean(dim=(0, 1)).tolist(), strict=True))


def _optimiser(network: nn.Module, config: OptimiserConfig) -> torch.optim.Optimizer:
    kind = torch.optim.AdamW if config.kind == "adamw" else torch.optim.Adam
    return kind(network.parameters(), config.learning_rate, betas=config.betas, weight_decay=config.weight_decay)


def _part_seed(seed: int, step: int, part: int, rank: int) -> int:
    return hash((seed, step, part, rank)) & (2**63 - 1)
