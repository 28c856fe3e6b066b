import subprocess
import sys

import pytest

from savg_ray.process import keep_freed_memory

FAULTS = """
import resource
import torch
from savg_ray.process import set_up_process

set_up_process()
for n in range(20):
    if n == 12:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(25_000_000).sum()
print(torch.get_num_threads(), resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc")
def test_a_process_computes_on_one_thread_in_memory_that_it_keeps():
    found = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    threads, faults = map(int, found.stdout.split())
    assert threads == 1
    # 100 MB eight times; from the system they come in 24 400 pages of 4 KiB each time. The heap has grown by then.
    assert faults < 24_400


def test_other_systems_keep_their_own_ways(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    asked = []
    monkeypatch.setattr("savg_ray.process.ctypes.CDLL", asked.append)
    keep_freed_memory()
    assert asked == []
