"""A state of the diffusion: one tensor, or several modalities by name, each with the batch first."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch

Modalities = dict[str, torch.Tensor]
State = TypeVar("State", torch.Tensor, Modalities)


def each(function: Callable[..., torch.Tensor], *states: State, args: Sequence[Any] = ()) -> State:
    """Apply ``function(*tensors, *args)`` modality by modality, or once if the states are tensors."""
    first = states[0]
    if isinstance(first, torch.Tensor):
        return function(*states, *args)
    return {name: function(*(state[name] for state in states), *args) for name in first}


def batch_size(x: torch.Tensor | Modalities) -> int:
    """How many samples a state holds.

    Raises:
        ValueError: no modality, no sample, or modalities that hold different numbers of samples.
    """
    tensors = {"x": x} if isinstance(x, torch.Tensor) else x
    sizes = {name: len(tensor) for name, tensor in tensors.items()}
    if len(set(sizes.values())) != 1 or 0 in sizes.values():
        raise ValueError(f"each modality needs the same number of samples, at least one, but they hold {sizes}")
    return next(iter(sizes.values()))


def checked_prediction(prediction: State, x: State) -> State:
    """A network's output as float32, if it has the modalities and shapes of the state it was asked about.

    Raises:
        ValueError: other modalities or shapes.
    """
    if shapes(prediction) != shapes(x):
        raise ValueError(
            f"the model must return shapes {shapes(x)}, as it was given, but returned {shapes(prediction)}"
        )
    return each(lambda tensor: tensor.float(), prediction)


def shapes(x: torch.Tensor | Modalities) -> dict[str, tuple[int, ...]]:
    """The shapes of a state's tensors by modality (a single tensor is called ``x``)."""
    tensors = {"x": x} if isinstance(x, torch.Tensor) else x
    return {name: tuple(tensor.shape) for name, tensor in sorted(tensors.items())}
