"""Reading of hostile files: in a process of its own that may crash or hang without taking the run down."""

import os
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from savg_ray.errors import ClipError

T = TypeVar("T")


class SafeReader:
    """Runs a reading function on a path in a child process, with a deadline.

    The child is started at the first call, kept for the next ones, and replaced when it crashes or is killed. It is
    a small program of its own (`savg_ray.media.reader_process`): process pools would import the parent's main
    program, with torch and all, into every child.

    Args:
        deadline_s: seconds after which a file is given up and the child killed.
    """

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._process: subprocess.Popen | None = None
        self._connection: Connection | None = None
        self.cpu_s = 0.0
        """CPU seconds that the child has spent on finished calls."""

    def __call__(self, read: Callable[[Path], T], path: Path) -> T:
        """``read(path)``, computed in the child; ``read`` is a module's function.

        Raises:
            ClipError: what ``read`` raises; ``crashed`` or ``deadline`` when the child died or took too long;
                ``undecodable`` for any other exception in the child.
        """
        if self._process is None:
            self._start()
        try:
            self._connection.send((read, path))
            answered = self._connection.poll(self._deadline_s)
            outcome, cpu_s = self._connection.recv() if answered else (None, 0.0)
        except (EOFError, OSError):
            message = f"{path} crashed the decoder (exit code {self._stop()}); write it again."
            raise ClipError("crashed", message) from None
        if not answered:
            self._stop()
            raise ClipError(
                "deadline", f"{path} was given up after {self._deadline_s:g} s of decoding; write it again."
            )
        self.cpu_s += cpu_s
        if isinstance(outcome, ClipError):
            raise outcome
        if isinstance(outcome, Exception):
            raise ClipError("undecodable", f"{path} cannot be decoded ({type(outcome).__name__}: {outcome}).")
        return outcome

    def close(self) -> None:
        """Stop the child."""
        if self._process is not None:
            self._stop()

    def __enter__(self) -> "SafeReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> None:
        self._connection, childs_end = Pipe()
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
        with childs_end:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "savg_ray.media.reader_process", str(childs_end.fileno())],
                pass_fds=[childs_end.fileno()],
                env=environment,
                stdin=subprocess.DEVNULL,
                # Decoders complain about damaged files at length; the sentence of the ClipError is enough.
                stderr=subprocess.DEVNULL,
            )

    def _stop(self) -> int:
        self._connection.close()
        self._process.kill()
        exit_code = self._process.wait()
        self._process = self._connection = None
        return exit_code
