"""Clip out: each made clip to its mp4, atomically, with a note in it of what it was made from."""

from pathlib import Path

import numpy as np

from savg_ray.clips import Clip
from savg_ray.errors import ClipError, UserError
from savg_ray.files import disk_is_full, file_sha256
from savg_ray.media.writer import AudioCodec, write_clip
from savg_ray.sampling.written import Origin
from savg_ray.stages.batch import Batch, batch_length, object_column
from savg_ray.stages.stage import Row, Stage, asked_outcomes, with_errors

# The official files are clipped here before they are written (``logger.py`` of the official sampler).
_LARGEST_SAMPLE = np.float32(0.99)


class WriteClipStage(Stage):
    """Writes ``made_frames`` and ``waveform`` to ``path``, and adds ``sha256`` of the file.

    Where there is a column ``made_shape``, frames are padded behind, and it says how many, high and wide they are.
    """

    name = "write"
    reads = ("made_frames", "waveform")

    def __init__(self, audio_codec: AudioCodec) -> None:
        self.audio_codec = audio_codec

    def load(self, device: str) -> None:
        """Nothing to get ready."""

    def __call__(self, batch: Batch) -> Batch:
        """Write every row that asks for it.

        Raises:
            UserError: the disk is full: what is written stays, and the run ends.
        """
        done, failed = asked_outcomes(batch, self.name, self._run)
        out = {key: column for key, column in batch.items() if key not in self.drops}
        out["sha256"] = object_column([done.get(i, "") for i in range(batch_length(batch))])
        return with_errors(out, failed)

    def _run(self, rows: list[Row]) -> list[str]:
        return [self._write(row) for row in rows]

    def _write(self, row: Row) -> str:
        path = Path(row["path"])
        if not np.isfinite(row["waveform"]).all():
            raise ClipError("nan_audio", f"{path.stem}: the sampler gave NaN or infinite sound; check the weights.")
        sound = np.clip(row["waveform"], -_LARGEST_SAMPLE, _LARGEST_SAMPLE)
        frames = row["made_frames"]
        if "made_shape" in row:
            frames = frames[tuple(slice(0, size) for size in row["made_shape"])]
        clip = Clip(row["id"], frames, float(row["making_fps"]), sound, int(row["rate_hz"]))
        origin = Origin(row["identity"], int(row["nfe"]), row["making_notes"])
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_clip(path, clip, self.audio_codec, origin.comment())
            return file_sha256(path)
        except OSError as error:
            if disk_is_full(error):
                raise UserError(
                    f"The disk of {path.parent} is full; free space, and the same command goes on from there."
                ) from error
            raise
