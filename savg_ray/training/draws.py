"""Randomness that belongs to a training example: the same on any number of workers, and after any restart."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Draw:
    """All random numbers of one training example, from counters (Philox) under a key for each purpose.

    Attributes:
        seed: of the run.
        position: the example's number since training began; it runs through epoch after epoch.
        epoch: how often all items were seen before.
    """

    seed: int
    position: int
    epoch: int

    def generator(self, purpose: str) -> np.random.Generator:
        """Random numbers for one purpose, such as ``noise`` or ``crop``; every call begins anew."""
        digest = hashlib.sha256(f"{self.seed}/train/{self.position}/{purpose}".encode()).digest()
        return np.random.Generator(np.random.Philox(key=np.frombuffer(digest[:16], np.uint64)))

    def column(self) -> np.ndarray:
        """The draw as int64 (3,), to travel in a batch."""
        return np.array([self.seed, self.position, self.epoch], np.int64)


def draws_of(column: torch.Tensor) -> list[Draw]:
    """The draws of a batch, from their columns, int64 (B, 3)."""
    return [Draw(*row) for row in column.tolist()]


def batch_noise(draws: Sequence[Draw], purpose: str, shape: Sequence[int], device: torch.device) -> torch.Tensor:
    """Standard normal float32 (B, *shape), each example's own, drawn on the CPU, where every machine draws alike."""
    noise = [draw.generator(purpose).standard_normal(tuple(shape), np.float32) for draw in draws]
    return torch.from_numpy(np.stack(noise)).to(device)


class SampleOrder:
    """Which item each position of training shows: every epoch all items once, in an order of its own.

    Args:
        n_items: how many items the data holds, at least one.
        seed: of the run.
    """

    def __init__(self, n_items: int, seed: int) -> None:
        self._n_items, self._seed = n_items, seed
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def draw(self, position: int) -> Draw:
        """The randomness of a position."""
        return Draw(self._seed, position, position // self._n_items)

    def item(self, position: int) -> int:
        """The item at a position."""
        epoch, place = divmod(position, self._n_items)
        if epoch != self._epoch:
            key = np.frombuffer(hashlib.sha256(f"{self._seed}/order/{epoch}".encode()).digest()[:16], np.uint64)
            self._epoch = epoch
            self._order = np.random.Generator(np.random.Philox(key=key)).permutation(self._n_items)
        return int(self._order[place])
