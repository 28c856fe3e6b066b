"""Files that are there as a whole or not at all, their digests, and where what is kept for later runs lies."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def user_cache() -> Path:
    """The package's folder in the user's cache folder; it may not exist yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "savg_ray"


def part_path(path: Path) -> Path:
    """Where a file is written before it is complete, hidden beside its place."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


@contextmanager
def written_at_once(path: Path) -> Iterator[Path]:
    """A path to write to, which becomes ``path`` when all went well: no reader sees half a file."""
    part = part_path(path)
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def disk_is_full(error: OSError) -> bool:
    """Whether writing failed for want of space, or of the user's share of it."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
