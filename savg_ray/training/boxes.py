"""Boxes of people in the frames of a built data set: one csv a clip, written from the truth of scenes when missing.

``boxes_<split>/<clip>.csv`` beside ``video_<split>`` has the form of detections (`savg_ray.metrics.detection_rows`):
lines ``frame,class,x0,y0,x1,y1`` in pixels of the clip. Class 0 is a person to be found; class -1 is a person of whom
so little can be seen that finding them is neither asked for nor wrong. So the boxes of any other source will do, too,
such as the ``detections`` of `savg evaluate` for clips of real recordings.
"""

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from savg_ray.dataset.clip_files import view_of
from savg_ray.dataset.clips import frame_numbers
from savg_ray.dataset.config import LABEL_RATE_HZ, DatasetConfig
from savg_ray.dataset.pictures import read_header
from savg_ray.errors import ClipError, UserError
from savg_ray.files import part_path
from savg_ray.metrics.detection_rows import read_rows, write_rows
from savg_ray.training.seen_people import hidden_by_others, people_in_view, shown_angles_deg

PERSON = 0
HARDLY_SEEN = -1

LEAST_SHARE = 0.15
"""People are hardly seen when less of the body is: behind furniture or others, or beyond the picture's edge."""

LEAST_SIDE_PX = 5
"""People whose box is narrower or lower are hardly seen."""


def boxes_folder(root: Path, split: str) -> Path:
    """Where the boxes of a split of a built data set lie."""
    return root / f"boxes_{split}"


def ensure_boxes(root: Path, split: str, recordings: Path | None) -> None:
    """Write the boxes of a split unless they are there already.

    Raises:
        UserError: they are not, and cannot be written.
    """
    folder = boxes_folder(root, split)
    if folder.is_dir():
        return
    if recordings is None:
        raise UserError(
            f"{folder} is missing; set task.recordings to the folder of scenes that {root} was built from, or put a "
            "csv of boxes for each clip there."
        )
    write_boxes(root, split, recordings)


def read_boxes(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The boxes of a clip: frames int64 (n,), labels int64 (n,) 0 or -1, and float32 (n, 4) x0, y0, x1, y1 in px.

    Raises:
        ClipError: ``bad_rows`` for a file that is missing or not of the form.
    """
    rows = read_rows(path)
    frames, labels = rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64)
    good = (frames == rows[:, 0]) & (frames >= 0) & np.isin(rows[:, 1], (PERSON, HARDLY_SEEN))
    good &= (rows[:, 4] > rows[:, 2]) & (rows[:, 5] > rows[:, 3])
    for line in np.flatnonzero(~good)[:1].tolist():
        raise ClipError(
            "bad_rows",
            f"{path} line {line + 1} is no box: a frame from 0, class 0 or -1, and x0 < x1, y0 < y1; write "
            "the file again",
        )
    return frames, labels, rows[:, 2:].astype(np.float32)


def write_boxes(root: Path, split: str, recordings: Path) -> None:
    """Write the boxes of all clips of a split, from the truth that `savg make-scenes` keeps; all or none appear.

    Args:
        root: the data set, with its ``dataset.json`` and ``manifest.parquet``.
        split: which clips.
        recordings: the folder of scenes that the data set was built from.

    Raises:
        UserError: one of these cannot be read, or the folder cannot be written.
    """
    config = _dataset_config(root)
    folder = boxes_folder(root, split)
    part = part_path(folder)
    try:
        part.mkdir()
        for clip, rows in _clip_boxes(root, split, recordings, config):
            write_rows(part / f"{clip}.csv", rows)
        os.replace(part, folder)
    except OSError as error:
        # Another worker may have been faster.
        if folder.is_dir():
            return
        raise UserError(
            f"{folder} cannot be written ({error.strerror}); free space or mend its permissions."
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _clip_boxes(root: Path, split: str, recordings: Path, config: DatasetConfig) -> Iterable[tuple[str, np.ndarray]]:
    """Names and rows of the clips of a split, recording by recording."""
    columns = ["recording", "part", "split", "start_frame", "yaw_deg", "clip"]
    table = pq.read_table(root / "manifest.parquet", columns=columns).to_pylist()
    kept = [row for row in table if row["clip"] is not None and row["split"] == split]
    if not kept:
        raise UserError(f"{root / 'manifest.parquet'} names no clips of {split}; build the data set to its end.")
    people: _People | None = None
    for row in sorted(kept, key=lambda row: (row["part"], row["recording"])):
        if people is None or people.name != row["recording"]:
            people = _People(recordings, row["part"], row["recording"])
        yield row["clip"], people.rows(row["start_frame"], row["yaw_deg"], config)


class _People:
    """What is known of the people of one recording, by label frame."""

    def __init__(self, recordings: Path, part: str, name: str) -> None:
        self.name = name
        truth = recordings / "truth_dev" / part / f"{name}.parquet"
        if not truth.is_file():
            raise UserError(
                f"{truth} is missing; name the folder that `savg make-scenes` wrote and the clips were built from."
            )
        try:
            self._video = read_header(recordings / "video_dev" / part / f"{name}.mp4")
        except ClipError as error:
            raise UserError(str(error)) from error
        table = pq.read_table(truth).sort_by([("frame", "ascending"), ("person", "ascending")])
        n_people = int(table["person"].to_numpy().max(initial=-1)) + 1
        n_frames = table.num_rows // max(n_people, 1)
        self._bodies = np.stack(table["body"].to_numpy()).reshape(n_frames, n_people, -1, 4)
        boxes = [table[side].to_numpy(zero_copy_only=False) for side in ("x0_px", "y0_px", "x1_px", "y1_px")]
        shown = np.stack(boxes, axis=-1).reshape(n_frames, n_people, 4)
        self._shown_deg = shown_angles_deg(shown, self._video.width_px)
        self._hidden = np.stack([hidden_by_others(bodies) for bodies in self._bodies])

    def rows(self, start_frame: int, yaw_deg: int, config: DatasetConfig) -> np.ndarray:
        """The rows of one clip, float64 (n, 6)."""
        view, pad_to_px = view_of(config), config.pictures.pad_to_px
        numbers = np.array(frame_numbers(start_frame, config, self._video))
        # Label frames say where people are in the middle of their tenth of a second.
        place = np.clip(numbers / float(self._video.fps) * LABEL_RATE_HZ - 0.5, 0, len(self._bodies) - 1)
        first = int(place[0])
        window = slice(first, int(place[-1]) + 2)
        truth = (self._bodies[window], self._shown_deg[window], self._hidden[window])
        boxes, share = _between(place - first, *people_in_view(*truth, yaw_deg, view))
        above = 0 if pad_to_px is None else (pad_to_px - view.height_px) // 2
        boxes[..., 1::2] += above
        frame, person = np.nonzero(share > 0)
        found = boxes[frame, person].round(2)
        sides_px = np.minimum(found[:, 2] - found[:, 0], found[:, 3] - found[:, 1])
        hardly = (share[frame, person] < LEAST_SHARE) | (sides_px < LEAST_SIDE_PX)
        rows = np.column_stack([frame, np.where(hardly, HARDLY_SEEN, PERSON), found])
        return rows[sides_px > 0]


def _between(place: np.ndarray, boxes: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes and shares at places between label frames; of somebody who appears just then, those of the nearer one."""
    before = np.floor(place).astype(int)
    after = np.minimum(before + 1, len(boxes) - 1)
    part = (place - before)[:, None]
    seen = np.isfinite(boxes[..., 0])
    part = np.where(seen[before] & seen[after], part, np.rint(part))
    share = np.nan_to_num(share) * seen
    mixed = np.where(part == 1, 0, (1 - part) * share[before]) + np.where(part == 0, 0, part * share[after])
    weights = np.stack([1 - part, part])[..., None]
    corners = np.where(weights == 0, 0, weights * np.stack([boxes[before], boxes[after]])).sum(axis=0)
    return corners, mixed


def _dataset_config(root: Path) -> DatasetConfig:
    path = root / "dataset.json"
    try:
        content = json.loads(path.read_text())
        content.pop("version")
        return DatasetConfig.model_validate({"preset": "", **content})
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path} cannot be read; name a folder that `savg build-dataset` wrote.") from error
