"""Results of earlier runs, kept under what they were computed from, so that nothing is computed twice."""

import hashlib
import json
import uuid
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from savg_ray.errors import UserError
from savg_ray.files import written_at_once

# Raise when a stage computes something else from the same clip and weights.
COMPUTATION_VERSION = 1

_SCHEMA = pa.schema([("key", pa.string()), ("value", pa.binary())])


def result_key(media_sha256: str, stage: str, identity: dict[str, str]) -> str:
    """The name of a result: whatever could change it is in it.

    Args:
        media_sha256: digest of the clip's bytes (or of those of a whole batch).
        stage: name of the stage.
        identity: the rest, such as weights, variant, precision, device and decoder versions.
    """
    text = json.dumps([COMPUTATION_VERSION, media_sha256, stage, identity], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class FeatureStore:
    """Key to bytes, in a folder of Parquet files that several runs may share.

    Every flush writes one new file, atomically; files are never changed, and one that is damaged is passed over, so
    that a killed run costs no more than what it had not flushed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._pending: dict[str, bytes] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"The cache folder {folder} cannot be made ({error.strerror}); name another with --cache."
            ) from error

    def lookup(self, keys: Iterable[str]) -> dict[str, bytes]:
        """The values of those keys that are known."""
        wanted = pa.array(sorted(set(keys)), pa.string())
        found: dict[str, bytes] = {}
        for part in sorted(self.folder.glob("*.parquet")):
            try:
                table = pq.read_table(part, schema=_SCHEMA)
            except (pa.ArrowException, OSError):
                continue
            table = table.filter(pc.is_in(table["key"], value_set=wanted))
            found.update(zip(table["key"].to_pylist(), table["value"].to_pylist(), strict=True))
        return found

    def add(self, key: str, value: bytes) -> None:
        """Remember a value; it reaches the disk with the next `flush`."""
        self._pending[key] = value

    def flush(self) -> None:
        """Write what is pending.

        Raises:
            UserError: the disk is full or not writable.
        """
        if not self._pending:
            return
        path = self.folder / f"{uuid.uuid4().hex}.parquet"
        columns = [list(self._pending), list(self._pending.values())]
        try:
            with written_at_once(path) as part:
                pq.write_table(pa.table(columns, schema=_SCHEMA), part)
        except OSError as error:
            raise UserError(
                f"The cache folder {self.folder} cannot be written ({error.strerror}); free space or name another "
                "with --cache. What was written stays, and the same command goes on from there."
            ) from error
        self._pending.clear()
