"""How every command ends: a user's mistake is one sentence and exit code 2, never a traceback."""

import sys
from collections.abc import Callable

import typer
from rich.console import Console

from savg_ray.errors import UserError


def run_program(program: typer.Typer) -> None:
    """Run a command-line program to its exit."""
    try:
        program()
    except UserError as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", style="red", markup=False, highlight=False)
        sys.exit(2)


def run_command(command: Callable[..., None]) -> None:
    """Run one command alone, as ``python -m jobs.<name>`` does."""
    program = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    program.command()(command)
    run_program(program)
