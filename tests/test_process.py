import subprocess
import sys

import pytest

from savg_ray.process import keep_freed_memory

FAULTS = """
import resource, sys
import torch
from savg_ray.process import set_up_process

if sys.argv[1] == "set up":
    set_up_process()
for n in range(20):
    if n == 12:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(25_000_000).sum()
print(torch.get_num_threads(), resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc")
def test_a_process_computes_on_one_thread_in_memory_that_it_keeps():
    command = [sys.executable, "-c", FAULTS, "set up"]
    threads, faults = map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert threads == 1
    # 100 MB eight times; from the system they come in 24 400 pages of 4 KiB each time. The heap has grown by then.
    assert faults < 24_400


def test_other_systems_keep_their_own_ways(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("savg_ray.process.ctypes.CDLL", None)
    keep_freed_memory()
