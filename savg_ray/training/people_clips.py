"""Clips of people: where the people are in each frame, and the frames."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from savg_ray.errors import ClipError, UserError
from savg_ray.media.reader import read_clip
from savg_ray.training.boxes import PERSON, boxes_folder, ensure_boxes, read_boxes
from savg_ray.training.clip_dataset import clip_paths

_DARK = 16


@dataclass(frozen=True, eq=False)
class PeopleClip:
    """A clip and the boxes of the people in it.

    Attributes:
        video: the clip's file.
        boxes: the file of its boxes.
        frame: int64 (n,), frame of each box.
        label: int64 (n,), 0 a person, -1 a person hardly seen.
        box_px: float32 (n, 4), x0, y0, x1, y1.
    """

    video: Path
    boxes: Path
    frame: np.ndarray
    label: np.ndarray
    box_px: np.ndarray

    @property
    def most_boxes(self) -> int:
        """Boxes of the frame that has most of them."""
        return int(np.bincount(self.frame).max(initial=0))

    def people(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (n, 4) and labels (n,) of a frame."""
        here = self.frame == frame
        return self.box_px[here], self.label[here]


@dataclass(frozen=True, eq=False)
class Frames:
    """Frames of a clip without the dark bars above and below.

    Attributes:
        numbers: int64 (n,), which frames.
        content: uint8 RGB (n, h, W, 3), what lies between the bars.
        first_row: of the content.
        height_px: of the frames with their bars.
    """

    numbers: np.ndarray
    content: np.ndarray
    first_row: int
    height_px: int

    def padded(self, content: np.ndarray) -> np.ndarray:
        """A picture (h, W, 3) between black bars again, (H, W, 3)."""
        picture = np.zeros((self.height_px, *content.shape[1:]), np.uint8)
        picture[self.first_row : self.first_row + len(content)] = content
        return picture


def people_clips(data: Path, split: str, recordings: Path | None) -> list[PeopleClip]:
    """The clips of a split, sorted by name; their boxes are written if they are missing.

    Raises:
        UserError: no clips, no boxes nor ``recordings`` to make them from, unreadable boxes, or not a single person.
    """
    videos = [video for video, _ in clip_paths(data, split)]
    ensure_boxes(data, split, recordings)
    folder = boxes_folder(data, split)
    files = [folder / f"{video.stem}.csv" for video in videos]
    try:
        clips = [PeopleClip(video, boxes, *read_boxes(boxes)) for video, boxes in zip(videos, files, strict=True)]
    except ClipError as error:
        raise UserError(str(error)) from error
    if not any((clip.label == PERSON).any() for clip in clips):
        raise UserError(f"{folder} holds no box of a person; remove it, and set task.recordings to have it written.")
    return clips


def read_frames(clip: PeopleClip, n: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Numbers (n,) and pictures, uint8 RGB (n, H, W, 3), of ``n`` frames spread evenly over a clip; of all for None.

    Raises:
        ClipError: as `savg_ray.media.reader.read_clip`, or ``bad_rows`` for boxes of frames that the clip has not.
    """
    frames = read_clip(clip.video).frames
    last = int(clip.frame.max(initial=-1))
    if last >= len(frames):
        raise ClipError(
            "bad_rows", f"{clip.boxes} names frame {last}, but {clip.video} has {len(frames)}; write the boxes again"
        )
    if n is None or n >= len(frames):
        return np.arange(len(frames)), frames
    numbers = ((np.arange(n) + 0.5) * len(frames) / n).astype(np.int64)
    return numbers, frames[numbers]


def without_bars(numbers: np.ndarray, pictures: np.ndarray) -> Frames:
    """Frames, uint8 (n, H, W, 3), without the rows above and below that are dark in all of them; dark ones whole."""
    lit = np.flatnonzero(pictures.max(axis=(0, 2, 3)) > _DARK)
    first, end = (int(lit[0]), int(lit[-1]) + 1) if len(lit) else (0, pictures.shape[1])
    return Frames(numbers, pictures[:, first:end].copy(), first, pictures.shape[1])
