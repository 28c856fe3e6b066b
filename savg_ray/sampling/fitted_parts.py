"""Parts as large as the memory allows."""

import logging
from collections.abc import Callable

import torch

from savg_ray.sampling.memory import CallMemory, GPUMemory, Memory
from savg_ray.sampling.parts import Part, Parts

# The rest is for what the measurement does not see: gaps between blocks, kernels that larger parts choose.
_USED_SHARE = 0.8
_GIB = 2**30

_log = logging.getLogger("savg_ray")


class FittedParts(Parts):
    """Parts whose size the first rows find out: one at a time, then two, then as many as fit.

    Nothing is computed for the measurement alone. Every size is run twice and measured the second time, because the
    first call of a size also takes what stays (workspaces) or comes once (compilation).

    Args:
        what: what the rows are, in the plural, for the log.
        most: rows at a time beyond which more would gain nothing.
        memory: what the parts must fit into.
        few_sizes: as in `Parts`.
    """

    def __init__(self, what: str, most: int, memory: Memory, few_sizes: bool = False) -> None:
        super().__init__(1, few_sizes)
        self._what, self._most, self._memory = what, most, memory
        self._trials = [1, 1, 2, 2]
        self._peaks: dict[int, int] = {}

    def _call(self, work: Callable[[slice], Part], part: slice) -> Part:
        n = part.stop - part.start
        if n not in self._trials[:1]:
            return work(part)
        trials, self._trials = self._trials[1:], []
        # Without trials left, should the memory run out here.
        done, self._peaks[n] = self._memory.peak_of(lambda: work(part))
        self._trials = trials
        self.rows = trials[0] if trials else self._fitting()
        return done

    def _fitting(self) -> int:
        cost = CallMemory.from_peaks(self._peaks[1], self._peaks[2])
        available = self._memory.available_bytes()
        rows = cost.rows_that_fit(int(_USED_SHARE * available), self._most)
        _log.info(
            "%d %s at a time (at most %d): a call takes %.2f GiB and %.2f GiB for each, of %.2f GiB at hand %.0f %% "
            "may be used",
            rows, self._what, self._most, cost.fixed_bytes / _GIB, cost.row_bytes / _GIB, available / _GIB,
            100 * _USED_SHARE,
        )  # fmt: skip
        return rows


def parts_on(
    device: torch.device, what: str, *, on_cpu: int, most: int, memory_share: float, few_sizes: bool
) -> Parts:
    """Parts of a fixed size on a CPU, where bits must not depend on the machine, and fitted ones on a GPU.

    Args:
        device: where the work is done.
        what: as in `FittedParts`.
        on_cpu: rows at a time there.
        most: as in `FittedParts`.
        memory_share: of the GPU's memory that the worker may take, from 0 to 1.
        few_sizes: as in `Parts`.
    """
    if device.type != "cuda":
        return Parts(on_cpu, few_sizes)
    return FittedParts(what, most, GPUMemory(device, memory_share), few_sizes)
