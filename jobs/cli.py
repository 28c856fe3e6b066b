"""The `savg` command."""

import typer

from jobs.command import run_program


def program() -> typer.Typer:
    """All commands."""
    # Imported here, for it takes seconds: `run_program` says what becomes of interrupts meanwhile.
    from jobs import weights
    from jobs.build_dataset import build_dataset
    from jobs.evaluate import evaluate
    from jobs.make_scenes import make_scenes
    from jobs.run import run
    from jobs.sample import sample
    from jobs.train import train

    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="Generate and score spatially aligned audio-video.",
    )
    for command in (make_scenes, build_dataset, sample, run, evaluate, train):
        app.command()(command)
    app.add_typer(weights.app, name="weights")
    return app


def main() -> None:
    """Run the command."""
    run_program(program)


if __name__ == "__main__":
    main()
