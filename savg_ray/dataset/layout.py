"""Where the files of a dataset lie, in each of the two published layouts."""

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from savg_ray.dataset.recordings import Recording


@dataclass(frozen=True)
class ClipFiles:
    """The files of one clip; ``sound`` is None where the video holds the sound."""

    video: Path
    labels: Path
    sound: Path | None


@dataclass(frozen=True)
class DatasetFiles:
    """The files below one output folder.

    Args:
        out: the output folder.
        layout: ``savgbench`` (video_dev, metadata_dev, ...) or ``dcase2025`` (stereo_dev, video_dev and metadata_dev,
            each with the parts of STARSS23).
    """

    out: Path
    layout: str

    @property
    def settings(self) -> Path:
        """The configuration that this dataset is built with."""
        return self.out / "dataset.json"

    @property
    def manifest(self) -> Path:
        """Every candidate and its fate."""
        return self.out / "manifest.parquet"

    @property
    def report(self) -> Path:
        """What was counted."""
        return self.out / "report.json"

    def manifest_part(self, recording: str) -> Path:
        """The candidates of one recording; it is written last, so that it marks a finished recording."""
        return self.out / "manifest" / f"{recording}.parquet"

    def clip(self, recording: Recording, start_frame: int, yaw_deg: int) -> ClipFiles:
        """The files of one clip."""
        name = clip_name(recording.name, start_frame, yaw_deg)
        folders = self.folders(recording)
        sound = folders["stereo"] / f"{name}.wav" if "stereo" in folders else None
        return ClipFiles(folders["video"] / f"{name}.mp4", folders["metadata"] / f"{name}.csv", sound)

    def folders(self, recording: Recording) -> dict[str, Path]:
        """The folders that hold a recording's clips, by kind."""
        if self.layout == "savgbench":
            return {kind: self.out / f"{kind}_{recording.split}" for kind in ("video", "metadata")}
        kinds = ("stereo", "video", "metadata")
        return {kind: self.out / f"{kind}_{recording.split}" / recording.part for kind in kinds}

    def remove_clips(self, recording: Recording) -> None:
        """Forget a recording: its mark first, then its clips and what a killed run left of them."""
        self.manifest_part(recording.name).unlink(missing_ok=True)
        for folder in self.folders(recording).values():
            for pattern in (f"{recording.name}_deg*", f".{recording.name}_deg*.part"):
                for path in folder.glob(pattern):
                    path.unlink(missing_ok=True)


def clip_name(recording: str, start_frame: int, yaw_deg: int) -> str:
    """The name of a clip; the start is in label frames of 0.1 s."""
    return f"{recording}_deg{yaw_deg:03d}_start{start_frame:04d}"


def why_not_written(error: OSError) -> str:
    """The system's words alone, such as "No space left on device"; libraries put theirs around them."""
    return os.strerror(error.errno) if error.errno in errno.errorcode else error.strerror or str(error)
