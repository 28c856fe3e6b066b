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
        time.sleep(60)

run_command(work)
"""


IMPORTING = """
import signal, time
from jobs.command import run_program

# Where tests run in the background, interrupts are ignored, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

def load():
    print("in", flush=True)
    try:
        time.sleep(60)
    except BaseException:
        pass

run_program(load)
"""
ROOT = Path(__file__).parents[2]
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_an_interrupt_ends_a_command_that_is_still_importing(number, code):
    with subprocess.Popen([sys.executable, "-c", IMPORTING], **PIPES) as process:
        assert process.stdout.readline() == "in\n"
        process.send_signal(number)
        _, err = process.communicate()
    assert (process.returncode, err) == (code, "interrupted before anything was begun\n")


def test_the_command_hears_of_interrupts_before_it_imports_anything_large():
    code = "import jobs.cli, sys; print(*({'torch', 'ray', 'numpy', 'savg_ray.config'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout == "\n"


@pytest.mark.parametrize(
    ("kind", "said"),
    [("resumable", "interrupted; what was made stays, and the same command goes on from there\n"), ("other", "")],
    ids=["resumable", "other"],
)
def test_a_terminated_command_ends_like_an_interrupted_one(kind, said):
    command = [sys.executable, "-c", COMMAND, kind]
    with subprocess.Popen(command, **PIPES) as process:
        assert process.stdout.readline() == "in\n"
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate()
    assert (process.returncode, err) == (143, said)
