"""How commands end when they are told to stop, in processes of their own."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = """
import sys, time
from contextlib import nullcontext
from jobs.command import resumable, run_command

def work(kind: str):
    with resumable("what was made stays") if kind == "resumable" else nullcontext():
        print("in", flush=True)
        time.sleep(600)

run_command(work)
"""


@pytest.mark.parametrize(
    ("kind", "said"),
    [("resumable", "interrupted; what was made stays, and the same command goes on from there\n"), ("other", "")],
    ids=["resumable", "other"],
)
def test_a_terminated_command_ends_like_an_interrupted_one(kind, said):
    command = [sys.executable, "-c", COMMAND, kind]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout.readline() == "in\n"
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate()
    assert (process.returncode, err) == (143, said)
