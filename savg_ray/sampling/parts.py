"""Work in parts that fit the memory."""

import logging
from collections.abc import Callable
from typing import TypeVar

import torch

Part = TypeVar("Part")

_log = logging.getLogger("savg_ray")


class Parts:
    """Runs work on some rows at a time; when the memory runs out, on half as many from then on.

    Attributes:
        rows: how many at a time, now.
        notes: what to tell about it.
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.notes = ""

    def run(self, work: Callable[[slice], Part], n_rows: int) -> list[Part]:
        """What ``work`` gives for each part of the rows, in order.

        Raises:
            torch.OutOfMemoryError | MemoryError: not even one row fits.
        """
        done, start = [], 0
        while start < n_rows:
            part = slice(start, min(n_rows, start + self.rows))
            try:
                done.append(work(part))
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
