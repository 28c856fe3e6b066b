"""The commands as the README and the help show them."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from jobs.cli import program

ROOT = Path(__file__).parents[2]


def commands(group, above="savg"):
    """Every command, as it is typed."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{above} {name}")
        else:
            yield f"{above} {name}", command


COMMANDS = dict(commands(get_command(program())))


def test_the_readme_lists_every_command_and_no_other():
    listed = re.findall(r"^\| `(savg [a-z -]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(COMMANDS)


def test_commands_in_the_documents_have_the_options_they_are_shown_with():
    n_checked = 0
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for line in re.findall(r"^(?:\$ |\.venv/bin/)?(savg [^#\n]+)", path.read_text(), re.MULTILINE):
            name = max((name for name in COMMANDS if line.startswith(name)), key=len)
            known = {option for parameter in COMMANDS[name].params for option in parameter.opts}
            assert set(re.findall(r"(?<= )--[a-z-]+", line)) <= known, f"{path}: {line}"
            n_checked += 1
    assert n_checked > 10


@pytest.mark.parametrize("program", sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py")))
def test_every_benchmark_is_listed(program):
    is_program = "__main__" in (ROOT / "benchmarks" / f"{program}.py").read_text()
    assert (f"`benchmarks.{program}`" in (ROOT / "benchmarks" / "README.md").read_text()) == is_program
