"""librosa, with what it compiles compiled by one process at a time.

librosa compiles parts of itself while it is imported, and numba keeps them on disk. Processes that do so at once may
leave halves of each other's code there, and then every later process crashes. So the code lies in a folder of ours,
and until it is complete, those that need it wait for each other. Each installation of librosa has a folder of its
own: numba would not take what was compiled for another, and nobody would wait for what it compiles instead.
"""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
from filelock import FileLock

from savg_ray.files import user_cache

_SECONDS_OF_NOISE = 1
_RATE_HZ = 22050


@cache
def ready_librosa() -> ModuleType:
    """The module; 10 to 20 s on one core the first time on a machine, then some 3 s in each new process."""
    # Both take their time, and most of the package can do without them.
    import librosa
    import numba

    installed = Path(librosa.__file__).parent
    folder = _root(numba.config.CACHE_DIR) / f"librosa_{digest(installed, librosa.__version__, numba.__version__)}"

    def compile_or_load() -> None:
        before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(folder)
        try:
            _use(librosa)
        finally:
            numba.config.CACHE_DIR = before

    one_at_a_time(folder, compile_or_load)
    return librosa


def one_at_a_time(folder: Path, fill: Callable[[], None]) -> None:
    """Run what fills a folder, or uses what is in it: alone, and from nothing, until somebody has filled it.

    Args:
        folder: made where it is missing.
        fill: leaves the folder complete.
    """
    complete = folder / "complete"
    if not complete.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not complete.exists():
                # What a killed process left may not fit together.
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                fill()
                complete.touch()
                return
    fill()


def _root(numba_folder: str) -> Path:
    if numba_folder:
        return Path(numba_folder)
    root = user_cache() / "compiled"
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError:
        return Path(tempfile.gettempdir()) / f"savg_ray_compiled_{os.getuid()}"
    return root


def digest(installed: Path, *versions: str) -> str:
    """Of all that numba tells one file of machine code from another by, in hex.

    Nodes that share a home may have other processors, and one node several environments: numba looks at the place of
    a source file, at its time and at its size.

    Args:
        installed: folder of the package's sources.
        versions: of what else the code depends on.
    """
    import llvmlite.binding

    cpu = (llvmlite.binding.get_host_cpu_name(), str(sorted(llvmlite.binding.get_host_cpu_features().items())))
    sources = ((str(path), path.stat()) for path in sorted(installed.rglob("*.py")))
    stamps = (f"{path} {stat.st_mtime_ns} {stat.st_size}" for path, stat in sources)
    everything = "\n".join((*versions, llvmlite.__version__, sys.version, *cpu, *stamps))
    return hashlib.sha256(everything.encode()).hexdigest()[:16]


def _use(librosa: ModuleType) -> None:
    """Call what we call, so that all of it is there; librosa imports its parts when they are first asked for."""
    random = np.random.Generator(np.random.PCG64(0))
    noise = random.standard_normal(_SECONDS_OF_NOISE * _RATE_HZ).astype(np.float32)
    librosa.stft(np.stack((noise, noise)), n_fft=512, hop_length=160)
    strength = librosa.onset.onset_strength(y=noise, sr=_RATE_HZ)
    librosa.onset.onset_detect(onset_envelope=strength, sr=_RATE_HZ, units="time")
