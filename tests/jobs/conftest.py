"""Shared by the tests of commands."""

import os
import shutil
import sys

import pytest
from filelock import FileLock


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


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """Folders that are costly to make, and never changed: of the processes the first to need one makes it."""
    common = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        common = common.parent

    def folder(name, make):
        whole, part = common / f"made_{name}", common / f"making_{name}"
        with FileLock(common / f"{name}.lock"):
            if not whole.exists():
                shutil.rmtree(part, ignore_errors=True)
                part.mkdir()
                make(part)
                part.rename(whole)
        return whole

    return folder
