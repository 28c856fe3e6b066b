"""Progress of a stream for a person (a bar) or a log (a line now and then)."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

_LOG_EVERY_S = 10.0


class StreamProgress:
    """What is done, how fast, the time left, and failures, on standard error.

    Args:
        what: what is being done, in a word or two.
        total: how many there are.
        unit: of what, in the plural.
    """

    def __init__(self, what: str, total: int, unit: str = "clips") -> None:
        self._what, self._total, self._unit = what, total, unit
        self._done = self._failed = 0
        self._logged = time.monotonic()
        self._first_done, self._first_at = 0, 0.0
        self._bar: Progress | None = None
        if sys.stderr.isatty():
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[state]}"),
                TimeElapsedColumn(),
                console=Console(stderr=True),
            )
            self._task = self._bar.add_task(what, total=total, state="starting workers")

    def __enter__(self) -> "StreamProgress":
        if self._bar is not None:
            self._bar.start()
        else:
            print(f"{self._what}: {self._total} {self._unit}", file=sys.stderr)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif self._total:
            print(f"{self._what}: {self._done}/{self._total} {self._state()}", file=sys.stderr)

    def advance(self, done: int, failed: int) -> None:
        """Count what came out of the stream, and how much of it failed."""
        self._done += done
        self._failed += failed
        if not self._first_done:
            self._first_done, self._first_at = self._done, time.monotonic()
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, state=self._state())
        elif time.monotonic() - self._logged > _LOG_EVERY_S:
            self._logged = time.monotonic()
            print(f"{self._what}: {self._done}/{self._total} {self._state()}", file=sys.stderr)

    def _state(self) -> str:
        # Counted from the first on: workers take their time to start, and that says nothing about the rest.
        rate = (self._done - self._first_done) / max(1e-9, time.monotonic() - self._first_at)
        if self._done == self._total:
            left = "done"
        elif rate:
            left_s = (self._total - self._done) / rate
            left = f"{left_s:.0f} s left" if left_s < 120 else f"{left_s / 60:.0f} min left"
        else:
            left = f"first {self._unit} done"
        return f"{rate:.3g} {self._unit}/s, {left}, {self._failed} failed"
