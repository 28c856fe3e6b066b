"""The `savg` command."""

import sys
from collections.abc import Callable

import typer
from rich.console import Console

from jobs import weights
from jobs.demo import demo
from jobs.evaluate import evaluate
from savg_ray.errors import UserError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Generate and score spatially aligned audio-video.",
)
app.command()(evaluate)
app.command()(demo)
app.add_typer(weights.app, name="weights")


@app.callback()
def _root() -> None:
    """Keep `evaluate` a sub-command however many there are."""


def main() -> None:
    """Run the command; a user's mistake is one sentence and exit code 2, never a traceback."""
    _run(app)


def run_command(command: Callable[..., None]) -> None:
    """Run one command alone, as ``python -m jobs.<name>`` does."""
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    single.command()(command)
    _run(single)


def _run(program: typer.Typer) -> None:
    try:
        program()
    except UserError as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", style="red", markup=False, highlight=False)
        sys.exit(2)


if __name__ == "__main__":
    main()
