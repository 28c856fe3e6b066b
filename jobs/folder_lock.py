"""One run at a time in a folder of results."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from savg_ray.errors import UserError


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder, which exists; however this process ends, the folder is free again.

    Raises:
        UserError: another run is in it, or it cannot be written.
    """
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(f"Another run is filling {folder}; wait for it, or name another folder.") from None
    except OSError as error:
        raise UserError(f"The folder {folder} cannot be written ({error.strerror}); name another.") from error
    try:
        yield
    finally:
        lock.release()
