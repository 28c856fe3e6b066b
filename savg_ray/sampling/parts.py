"""Work in parts that fit the memory."""

import logging
from collections.abc import Callable
from typing import TypeVar

import torch

Part = TypeVar("Part")

_log = logging.getLogger("savg_ray")


class Parts:
    """Runs work on some rows at a time; when the memory runs out, on half as many from then on.

    Args:
        rows: how many at a time.
        few_sizes: rows that are left over go in powers of two, for work that is compiled anew for every size.

    Attributes:
        rows: how many at a time, now.
        notes: what to tell about it.
    """

    def __init__(self, rows: int, few_sizes: bool = False) -> None:
        self.rows = rows
        self.notes = ""
        self._few_sizes = few_sizes

    def run(self, work: Callable[[slice], Part], n_rows: int) -> list[Part]:
        """What ``work`` gives for each part of the rows, in order.

        Raises:
            torch.OutOfMemoryError | MemoryError: not even one row fits.
        """
        done, start = [], 0
        while start < n_rows:
            part = slice(start, start + self._next_size(n_rows - start))
            try:
                done.append(self._call(work, part))
            except (torch.OutOfMemoryError, MemoryError):
                n = part.stop - part.start
                if n == 1:
                    raise
                self.rows = n // 2
                self.notes = f"out of memory at {n} at a time, went on with {self.rows}"
                _log.warning(self.notes)
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()
                continue
            start = part.stop
        return done

    def _call(self, work: Callable[[slice], Part], part: slice) -> Part:
        return work(part)

    def _next_size(self, n_left: int) -> int:
        if n_left < self.rows and self._few_sizes:
            return power_of_two_below(n_left)
        return min(self.rows, n_left)


def power_of_two_below(n: int) -> int:
    """The largest power of two that is not above ``n``, from 1 on."""
    return 1 << (n.bit_length() - 1)
