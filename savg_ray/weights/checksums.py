"""Checksums of files, remembered beside them so that a start-up does not hash hundreds of megabytes each time."""

import errno
import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from savg_ray.errors import UserError

RECORD_NAME = "checksums.json"


@dataclass(frozen=True)
class Digest:
    """Both sums of one file, in hexadecimal."""

    sha256: str
    git_blob: str


@dataclass(frozen=True)
class Recorded:
    """Sum of a file, and the size and modification time it was computed for."""

    sha256: str
    size_bytes: int
    mtime_ns: int

    def describes(self, path: Path) -> bool:
        """Whether the file is there and looks untouched since."""
        try:
            stat = path.stat()
        except FileNotFoundError:
            return False
        return (stat.st_size, stat.st_mtime_ns) == (self.size_bytes, self.mtime_ns)


def digest(path: Path) -> Digest:
    """SHA-256 and git object id of a file, read once."""
    sha256 = hashlib.sha256()
    # sha1 identifies, as in git; nothing here relies on it being hard to forge.
    blob = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            sha256.update(chunk)
            blob.update(chunk)
    return Digest(sha256.hexdigest(), blob.hexdigest())


def read_record(root: Path) -> dict[str, Recorded]:
    """The recorded sums of a folder, by file name.

    Raises:
        UserError: the record is damaged.
    """
    path = root / RECORD_NAME
    try:
        return {name: Recorded(**entry) for name, entry in json.loads(path.read_text()).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} cannot be read as a record of checksums ({error}); mend it, or delete it to record them anew"
        ) from error


def record(path: Path, sha256: str) -> None:
    """Remember the sum of a file; in a folder that may not be written to, do nothing."""
    stat = path.stat()
    root = path.parent
    entries = read_record(root) | {path.name: Recorded(sha256, stat.st_size, stat.st_mtime_ns)}
    text = json.dumps({name: asdict(entry) for name, entry in sorted(entries.items())}, indent=2)
    try:
        with tempfile.NamedTemporaryFile("w", dir=root, prefix=RECORD_NAME, delete=False) as file:
            file.write(text)
        os.replace(file.name, root / RECORD_NAME)
    except OSError as error:
        # A shared weights folder is often read-only; then the sum is computed at each start.
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise UserError(f"{root / RECORD_NAME} cannot be written ({error.strerror or error})") from error
