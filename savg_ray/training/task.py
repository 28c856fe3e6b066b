"""What a trainer needs to know of a model: its network, its examples, its loss, and how good it is."""

from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import nn

from savg_ray.training.draws import Draw

Batch = dict[str, torch.Tensor]


class Task(Protocol):
    """One model's training, without a word about steps, devices or workers.

    A task is plain data until it is asked: it travels to workers by pickling. All randomness of an example comes from
    its `Draw`, also in `loss` (through the column ``draw``, `Draw.column`), so that a step's loss depends neither on
    the number of workers nor on restarts.

    Attributes:
        name: ``joint``, ``sr``, ``seld``, ``detector``, ``video_features`` or ``audio_features``.
        export_name: the file that `export` is written to, as the commands that load it call it.
        best: the value of `validate` that names the best checkpoint, and whether higher is better.
    """

    name: str
    export_name: str
    best: tuple[str, bool]

    def build(self) -> nn.Module:
        """The network, float32, on the CPU, initialised from torch's global generator."""
        ...

    def __len__(self) -> int:
        """How many items there are to learn from."""
        ...

    def item_name(self, index: int) -> str:
        """What a person calls an item, for messages."""
        ...

    def example(self, index: int, draw: Draw) -> dict[str, np.ndarray]:
        """One example: arrays without a batch axis, of the same names, shapes and types for every item.

        Raises:
            ClipError: the item cannot be read or has another form than the others.
        """
        ...

    def loss(self, network: nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """Scalars, means over the batch: ``loss``, which is differentiated, and others worth logging.

        ``network`` may be wrapped (DDP): it is only called, never looked into.
        """
        ...

    def validate(self, network: nn.Module, folder: Path) -> dict[str, float]:
        """Values on held-out data of a network in evaluation mode; ``folder`` takes what is worth keeping."""
        ...

    def export(self, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The state dict as the commands that use the network load it."""
        ...
