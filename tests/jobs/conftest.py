"""Shared by the tests of commands."""

import sys

import pytest


@pytest.fixture
def savg(monkeypatch, capfd):
    """Runs the command in this process; returns exit code, standard output and standard error."""
    from jobs import cli

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["savg", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main()
        return (caught.value.code or 0, *capfd.readouterr())

    return run
