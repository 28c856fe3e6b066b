"""A sampling run without a runner: which clips are missing, and what became of each.

A runner takes `batches` through the stages and hands what comes out to `take`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from savg_ray.errors import UserError
from savg_ray.files import file_sha256, written_at_once
from savg_ray.generation.identity import clip_id, clip_identity
from savg_ray.sampling.written import origin_of
from savg_ray.stages.batch import Batch, object_column, rows_of

_MANIFEST_SCHEMA = pa.schema(
    [
        ("clip_id", pa.string()),
        ("index", pa.int64()),
        ("seed", pa.int64()),
        ("path", pa.string()),
        ("identity", pa.string()),
        ("sha256", pa.string()),
        ("nfe", pa.int32()),
        ("ok", pa.bool_()),
        ("reason", pa.string()),
        ("error", pa.string()),
        ("notes", pa.string()),
    ]
)


@dataclass
class SampledClip:
    """One clip of a run.

    Attributes:
        index: its number, to which its randomness belongs.
        id: its name.
        path: its file.
        identity: digest of everything that decides it.
        sha256: of the file; empty as long as there is none.
        nfe: calls of the base network that it took.
        notes: what happened on the way.
        reason: why it could not be made; empty when nothing speaks against it.
        error: the same in a sentence.
        source: the file for whose pictures or sound it is made, if any.
    """

    index: int
    id: str
    path: Path
    identity: str
    sha256: str = ""
    nfe: int = 0
    notes: str = ""
    reason: str = ""
    error: str = ""
    source: Path | None = None


def numbered_clips(out: Path, n: int, seed: int, identity: str) -> list[SampledClip]:
    """The first ``n`` clips of a seed.

    Args:
        out: folder of the run; clips go to ``out/clips``.
        n: how many.
        seed: of the run.
        identity: digest of configuration and weights.
    """
    names = ((index, clip_id(seed, index)) for index in range(n))
    return [
        SampledClip(index, name, out / "clips" / f"{name}.mp4", clip_identity(identity, seed, index))
        for index, name in names
    ]


class Sampling:
    """The state of one run.

    Args:
        out: folder of the run.
        clips: what it shall hold, each under a name of its own.
        seed: of the run.
        stages: names of the stages that make a clip.

    Raises:
        UserError: the folder holds clips of this name that were made from something else.
    """

    def __init__(self, out: Path, clips: Sequence[SampledClip], seed: int, stages: Iterable[str]) -> None:
        self.out, self.seed = out, seed
        self._todo = ",".join(stages)
        self.clips = {clip.id: clip for clip in clips}
        for clip in self.clips.values():
            if not clip.reason:
                self._recognise(clip)

    @property
    def missing(self) -> list[SampledClip]:
        """The clips that have yet to be made."""
        return [clip for clip in self.clips.values() if not clip.sha256 and not clip.reason]

    @property
    def failed(self) -> list[SampledClip]:
        """The clips that could not be made."""
        return [clip for clip in self.clips.values() if clip.reason]

    def batches(self, size: int, whole: bool) -> list[Batch]:
        """Batches of up to ``size`` clips.

        Args:
            size: clips in a batch.
            whole: batch mates are part of what a clip is, so that a batch with a missing clip is made anew as a
                whole; otherwise only the missing clips are made.
        """
        if not whole:
            return [self._batch(self.missing[i : i + size]) for i in range(0, len(self.missing), size)]
        missing = {clip.index // size for clip in self.missing}
        clips = list(self.clips.values())
        return [self._batch(clips[number * size : (number + 1) * size]) for number in sorted(missing)]

    def take(self, batch: Batch) -> int:
        """Note what became of a batch of clips; returns how many of them could not be made.

        A clip with a file was made, whatever happened to it later in the stream.
        """
        failed = 0
        for row in rows_of(batch):
            clip = self.clips[row["id"]]
            clip.nfe, clip.notes, clip.sha256 = int(row["nfe"]), row["making_notes"], row["sha256"]
            if not clip.sha256:
                clip.reason, clip.error = row["reason"], row["error"]
                failed += 1
        return failed

    def flush(self) -> None:
        """Write ``manifest.parquet``: a row for every clip that was made or failed.

        Raises:
            UserError: the folder cannot be written.
        """
        rows = [self._manifest_row(clip) for clip in self.clips.values() if clip.sha256 or clip.reason]
        path = self.out / "manifest.parquet"
        try:
            with written_at_once(path) as part:
                pq.write_table(pa.Table.from_pylist(rows, schema=_MANIFEST_SCHEMA), part)
        except OSError as error:
            raise UserError(
                f"{path} cannot be written ({error.strerror}); free space or name another folder with --out. "
                "Finished clips stay, and the same command goes on from there."
            ) from error

    def _recognise(self, clip: SampledClip) -> None:
        origin = origin_of(clip.path)
        if origin is None:
            return
        if origin.identity != clip.identity:
            source = "" if clip.source is None else f", or for another file than {clip.source} now is"
            raise UserError(
                f"{clip.path} was made from another configuration or other weights{source}; name another folder with "
                "--out, or delete its clips."
            )
        clip.sha256, clip.nfe, clip.notes = file_sha256(clip.path), origin.nfe, origin.notes

    def _batch(self, clips: list[SampledClip]) -> Batch:
        columns = {
            "id": object_column([clip.id for clip in clips]),
            "index": np.array([clip.index for clip in clips]),
            "seed": np.array([self.seed] * len(clips)),
            "path": object_column([str(clip.path) for clip in clips]),
            "identity": object_column([clip.identity for clip in clips]),
            "todo": object_column([self._todo] * len(clips)),
            "reason": object_column([""] * len(clips)),
            "error": object_column([""] * len(clips)),
        }
        if all(clip.source is not None for clip in clips):
            columns["source"] = object_column([str(clip.source) for clip in clips])
        return columns

    def _manifest_row(self, clip: SampledClip) -> dict:
        return {
            "clip_id": clip.id,
            "index": clip.index,
            "seed": self.seed,
            "path": str(clip.path.relative_to(self.out)),
            "identity": clip.identity,
            "sha256": clip.sha256,
            "nfe": clip.nfe,
            "ok": not clip.reason,
            "reason": clip.reason,
            "error": clip.error,
            "notes": clip.notes,
        }
