"""Compile functions to machine code and keep it between runs, until any of their sources changes."""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function compiled by numba at its first call, which takes seconds once on a machine.

    Numba notices when the file of a function changes, but not when a file changes whose functions it calls. So what
    it keeps lies in a folder named after all sources beside this file.
    """
    before = numba.config.CACHE_DIR
    folder = Path(before) if before else Path(__file__).parent / "__pycache__"
    numba.config.CACHE_DIR = str(folder / f"compiled_{_sources_digest()}")
    try:
        return numba.njit(cache=True)(function)
    finally:
        numba.config.CACHE_DIR = before


@cache
def _sources_digest() -> str:
    """Of this whole folder: machine code also holds numbers that other files name."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
