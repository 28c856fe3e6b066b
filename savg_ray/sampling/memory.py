"""What a call of a network takes of the memory, and how many rows fit into what is left."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch

from savg_ray.sampling.parts import power_of_two_below

Result = TypeVar("Result")


@dataclass(frozen=True)
class CallMemory:
    """What a call of a network takes at its peak: something fixed, and as much again for every row.

    Attributes:
        fixed_bytes: whatever the number of rows.
        row_bytes: for each of them.
    """

    fixed_bytes: int
    row_bytes: int

    @classmethod
    def from_peaks(cls, of_one: int, of_two: int) -> "CallMemory":
        """From the peaks, in bytes, of a call with one row and of one with two.

        Where two rows take no more than one, nothing tells what is fixed: all counts as the rows'.
        """
        row = of_two - of_one if of_two > of_one else -(-of_two // 2)
        return cls(max(0, of_two - 2 * row), row)

    def rows_that_fit(self, available_bytes: int, most: int) -> int:
        """The largest power of two of rows, up to ``most``, that fits into a memory; 1 where none does."""
        fitting = (available_bytes - self.fixed_bytes) // max(1, self.row_bytes)
        return power_of_two_below(max(1, min(fitting, most)))


class Memory(Protocol):
    """The memory that a network works in."""

    def available_bytes(self) -> int:
        """What may be taken now, besides what is taken already."""

    def peak_of(self, call: Callable[[], Result]) -> tuple[Result, int]:
        """What a call gives, and the bytes that it took at its peak, besides those that were taken before."""


class GPUMemory:
    """A worker's share of the memory of a GPU, which other workers use too.

    Args:
        device: the GPU.
        share: of the whole memory, from 0 to 1.
    """

    def __init__(self, device: torch.device, share: float) -> None:
        self._device, self._share = device, share

    def available_bytes(self) -> int:
        """What is free, but no more than is left of the share."""
        free, total = torch.cuda.mem_get_info(self._device)
        used = torch.cuda.memory_allocated(self._device)
        # What this process holds without using it is as good as free.
        held = torch.cuda.memory_reserved(self._device) - used
        return max(0, min(free + held, int(self._share * total) - used))

    def peak_of(self, call: Callable[[], Result]) -> tuple[Result, int]:
        """See `Memory`; memory is given out in the order of calls, so that nothing has to wait for the GPU."""
        torch.cuda.reset_peak_memory_stats(self._device)
        before = torch.cuda.memory_allocated(self._device)
        result = call()
        return result, torch.cuda.max_memory_allocated(self._device) - before
