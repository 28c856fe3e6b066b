"""The `savg` command."""

import typer

from jobs import weights
from jobs.command import run_program
from jobs.demo import demo
from jobs.evaluate import evaluate

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Generate and score spatially aligned audio-video.",
)
app.command()(evaluate)
app.command()(demo)
app.add_typer(weights.app, name="weights")


def main() -> None:
    """Run the command."""
    run_program(app)


if __name__ == "__main__":
    main()
