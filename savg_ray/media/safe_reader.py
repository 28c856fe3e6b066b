"""Reading of hostile files: in a process of its own that may crash or hang without taking the run down."""

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import TimeoutError as DeadlineError
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from pebble import ProcessExpired, ProcessPool

from savg_ray.errors import ClipError

T = TypeVar("T")


class SafeReader:
    """Runs a reading function on a path in a child process, with a deadline.

    The child is started at the first call, kept for the next ones, and replaced when it crashes or is killed.

    Args:
        deadline_s: seconds after which a file is given up and the child killed.
    """

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._pool: ProcessPool | None = None
        self.cpu_s = 0.0
        """CPU seconds that the child has spent on finished calls."""

    def __call__(self, read: Callable[[Path], T], path: Path) -> T:
        """``read(path)``, computed in the child.

        Raises:
            ClipError: what ``read`` raises; ``crashed`` or ``deadline`` when the child died or took too long;
                ``undecodable`` for any other exception in the child.
        """
        if self._pool is None:
            # "spawn": forking a process with torch threads or a Ray worker's sockets is unsafe.
            self._pool = ProcessPool(max_workers=1, context=multiprocessing.get_context("spawn"))
        future = self._pool.schedule(_timed, args=(read, path), timeout=self._deadline_s)
        try:
            result, cpu_s = future.result()
        except ClipError:
            raise
        except DeadlineError:
            raise ClipError(
                "deadline", f"{path} was given up after {self._deadline_s:g} s of decoding; write it again."
            ) from None
        except ProcessExpired as error:
            raise ClipError(
                "crashed", f"{path} crashed the decoder (exit code {error.exitcode}); write it again."
            ) from None
        except Exception as error:
            raise ClipError("undecodable", f"{path} cannot be decoded ({type(error).__name__}: {error}).") from error
        self.cpu_s += cpu_s
        return result

    def close(self) -> None:
        """Stop the child."""
        if self._pool is not None:
            self._pool.stop()
            self._pool.join()
            self._pool = None

    def __enter__(self) -> "SafeReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _timed(read: Callable[[Path], T], path: Path) -> tuple[T, float]:
    started = time.process_time()
    return read(path), time.process_time() - started
