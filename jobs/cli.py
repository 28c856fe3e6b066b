"""The `savg` command."""

import typer

from jobs import weights
from jobs.command import run_program
from jobs.demo import demo
from jobs.evaluate import evaluate
from jobs.run import run
from jobs.sample import sample

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Generate and score spatially aligned audio-video.",
)
for command in (sample, run, evaluate, demo):
    app.command()(command)
app.add_typer(weights.app, name="weights")


def main() -> None:
    """Run the command."""
    run_program(app)


if __name__ == "__main__":
    main()
