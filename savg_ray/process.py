"""How a process that computes is set up."""

import ctypes
import sys

import cv2
import torch

# Of mallopt, in glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 512 << 20
_LARGEST_KEPT_BYTES = 1 << 30


def set_up_process() -> None:
    """As every worker is: one thread, and memory that is kept."""
    use_one_thread()
    keep_freed_memory()


def use_one_thread() -> None:
    """Keep this process to one CPU thread.

    Workers share the cores by their number. And sums that are split among threads differ in their last bits, so one
    thread everywhere is what makes the runners agree exactly.
    """
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def keep_freed_memory() -> None:
    """Keep up to half a GiB of what tensors gave back for the next ones.

    By default glibc returns every large block to the system, which hands it out again page by page, set to zero: an
    eighth of the time of the official networks on a CPU. Other C libraries are left as they are.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
