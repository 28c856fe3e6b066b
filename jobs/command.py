"""How every command ends: mistakes and interrupts are one sentence and an exit code, never a traceback."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import typer
from rich.console import Console

from savg_ray.errors import UserError

_INTERRUPTED, _TERMINATED = 130, 143


def run_program(load: Callable[[], typer.Typer]) -> None:
    """Run a command-line program to its exit; SIGTERM interrupts it as Ctrl-C does, but for the exit code 143.

    What the package logs is shown on standard error.

    Args:
        load: imports the program.
    """
    logging.basicConfig(format="%(message)s")
    logging.getLogger("savg_ray").setLevel(logging.INFO)
    try:
        with _ended_at_once():
            program = load()
        with _terminable():
            program()
    except UserError as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", style="red", markup=False, highlight=False)
        sys.exit(2)


def run_command(command: Callable[..., None]) -> None:
    """Run one command alone, as ``python -m jobs.<name>`` does."""
    program = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    program.command()(command)
    run_program(lambda: program)


@contextmanager
def resumable(what_stays: str) -> Iterator[None]:
    """Work that may be interrupted: it ends with exit code 130, and a sentence that tells what stays."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"interrupted; {what_stays}, and the same command goes on from there", file=sys.stderr)
        raise typer.Exit(_INTERRUPTED) from None


@contextmanager
def _ended_at_once() -> Iterator[None]:
    """Imports, which an interrupt ends without an exception: that could get lost in them."""

    def end(number: int, frame: FrameType | None) -> None:
        os.write(2, b"interrupted before anything was begun\n")
        os._exit(128 + number)

    heard = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, end) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _terminable() -> Iterator[None]:
    terminated = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal terminated
        terminated = True
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except SystemExit as end:
        if terminated and end.code == _INTERRUPTED:
            sys.exit(_TERMINATED)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
