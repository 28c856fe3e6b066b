"""Clips with labels as the dataset builder writes them, for PyTorch's and Ray Data's loaders."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from torch.utils.data import Dataset

from savg_ray.clips import Clip
from savg_ray.csv_rows import read_number_rows
from savg_ray.errors import ClipError, UserError
from savg_ray.media.reader import read_clip
from savg_ray.seld.labels import with_classes
from savg_ray.spatial.screen import mirror_x_px

Mirror = Literal["none", "paired", "official"]
"""How training clips are mirrored: never; half of them, pictures, sound and labels together; or, as in the official
training, all of them, but the pictures alone, so that left is seen where right is heard."""

Item = TypeVar("Item")

LABELS_PER_S = 10
INACTIVE = -1
_COLUMNS = ("frame", "class", "x", "y")


@dataclass(frozen=True, eq=False)
class LabelledClip:
    """A clip and where its sounds come from.

    Attributes:
        id: the file's stem.
        frames: uint8 RGB (T, H, W, 3).
        fps: frames per second.
        waveform: float32 (2, L), left and right.
        rate_hz: samples per second.
        labels: int64 (n, 4): label frame at 10 Hz, class id of the data set (0, 1 speech, 9 instrument), column and
            row in pixels; rows count from the top of the picture before it was padded.
    """

    id: str
    frames: np.ndarray
    fps: float
    waveform: np.ndarray
    rate_hz: int
    labels: np.ndarray

    @property
    def n_label_frames(self) -> int:
        """Whole tenths of a second of sound."""
        return _n_label_frames(self)


def clip_paths(root: Path, split: str) -> list[tuple[Path, Path]]:
    """The videos of a split (``dev``, ``eval``) of a built data set and their label files, sorted by name.

    Raises:
        UserError: no clip in ``root/video_<split>``, or one without a file in ``root/metadata_<split>``.
    """
    folder = root / f"video_{split}"
    videos = sorted(folder.glob("[!.]*.mp4"))
    if not videos:
        raise UserError(f"{folder} holds no mp4 files; name a folder that `savg build-dataset` wrote")
    pairs = [(video, root / f"metadata_{split}" / f"{video.stem}.csv") for video in videos]
    for video, labels in pairs:
        if not labels.is_file():
            raise UserError(f"{labels} is missing; put the labels of {video.name} there or remove the clip")
    return pairs


def read_labelled_clip(video: Path, labels: Path) -> LabelledClip:
    """Decode a clip and its label file (lines ``frame,class,x,y`` without header).

    Raises:
        ClipError: as `read_clip`; ``not_stereo``; ``bad_rows`` for lines that are no whole numbers or lie outside of
            the clip; ``unknown_class`` for another class than 0, 1 and 9.
    """
    clip = read_clip(video)
    if clip.waveform.shape[0] != 2:
        raise ClipError("not_stereo", f"{video} has {clip.waveform.shape[0]} channels of sound; two are needed")
    rows = _checked_rows(labels, clip)
    return LabelledClip(clip.id, clip.frames, clip.fps, clip.waveform, clip.rate_hz, rows)


def mirror_pair(clip: LabelledClip) -> LabelledClip:
    """The clip as seen and heard in a mirror: left and right change places in pictures, sound and labels."""
    labels = clip.labels.copy()
    labels[:, 2] = mirror_x_px(labels[:, 2], clip.frames.shape[2])
    return replace(mirror_pictures(clip), waveform=np.ascontiguousarray(clip.waveform[::-1]), labels=labels)


def mirror_pictures(clip: LabelledClip) -> LabelledClip:
    """The clip with its pictures alone mirrored, as the official training does: sound and labels stay behind."""
    return replace(clip, frames=np.ascontiguousarray(clip.frames[:, :, ::-1]))


def is_mirrored(clip_id: str, seed: int, epoch: int) -> bool:
    """Whether a clip is mirrored in an epoch, in half of all cases; the same in every process and order."""
    key = np.frombuffer(hashlib.sha256(f"{seed}/{clip_id}/mirror".encode()).digest()[:16], np.uint64)
    return bool(np.random.Generator(np.random.Philox(key=key, counter=[0, 0, 0, epoch])).integers(2))


def mirrored(clip: LabelledClip, mirror: Mirror, seed: int, epoch: int) -> LabelledClip:
    """The clip as an epoch of training shows it."""
    if mirror == "official":
        return mirror_pictures(clip)
    if mirror == "paired" and is_mirrored(clip.id, seed, epoch):
        return mirror_pair(clip)
    return clip


def label_columns(clip: LabelledClip) -> dict[str, np.ndarray]:
    """Labels by label frame, F of them: ``label_class`` int64 (F,), and ``label_px`` int64 (F, 2), column and row.

    Classes are 0 speech and 1 instrument; -1 where nothing sounds. Of a frame with several rows the lowest class is
    kept, and of that class the first row, as in training SELD.
    """
    label_class = np.full(clip.n_label_frames, INACTIVE, np.int64)
    label_px = np.full((clip.n_label_frames, 2), INACTIVE, np.int64)
    rows = with_classes(clip.labels, source=clip.id)
    rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    frame, first = np.unique(rows[:, 0], return_index=True)
    label_class[frame], label_px[frame] = rows[first, 1], rows[first, 2:]
    return {"label_class": label_class, "label_px": label_px}


def clip_row(paths: Mapping[str, Any], mirror: Mirror = "none", seed: int = 0, epoch: int = 0) -> dict[str, Any]:
    """Everything that training needs of a clip, as columns.

    For Ray Data: ``ray.data.from_items(path_rows(clip_paths(root, "dev")))``, then
    ``.map(clip_row, fn_kwargs={"mirror": "paired", "seed": 1, "epoch": 0})``; before ``iter_torch_batches`` drop the
    column ``id``, which is text.

    Args:
        paths: ``video`` and ``labels``.
        mirror, seed, epoch: see `mirrored`.

    Returns:
        ``id`` str, ``frames`` uint8 (T, 3, H, W), ``waveform`` float32 (2, L), and `label_columns`.

    Raises:
        ClipError: as `read_labelled_clip`.
    """
    clip = read_labelled_clip(Path(paths["video"]), Path(paths["labels"]))
    clip = mirrored(clip, mirror, seed, epoch)
    frames = np.ascontiguousarray(clip.frames.transpose(0, 3, 1, 2))
    return {"id": clip.id, "frames": frames, "waveform": clip.waveform, **label_columns(clip)}


def spread(items: Sequence[Item], n: int | None) -> list[Item]:
    """``n`` of some items in their order, evenly spread; all of them for None, or where there are no more."""
    n = len(items) if n is None else min(n, len(items))
    return [items[i * len(items) // n] for i in range(n)]


def path_rows(pairs: Sequence[tuple[Path, Path]]) -> list[dict[str, str]]:
    """Pairs of `clip_paths` as rows of plain text that `clip_row` takes."""
    return [{"video": str(video), "labels": str(labels)} for video, labels in pairs]


class ClipDataset(Dataset):
    """Clips for a ``DataLoader``: dictionaries as `clip_row` gives, arrays as tensors, all of one shape.

    Args:
        pairs: as `clip_paths` gives; at least one.
        mirror: how clips are mirrored.
        seed: decides with the epoch and the clip's id which clips ``paired`` mirrors.

    Raises:
        ClipError: by `clip_row`, or ``other_form`` for a clip that has not the first one's shapes.
    """

    def __init__(self, pairs: Sequence[tuple[Path, Path]], mirror: Mirror = "none", seed: int = 0) -> None:
        self._rows = path_rows(pairs)
        self._mirror: Mirror = mirror
        self._seed = seed
        # Shared, so that loading processes that outlive an epoch learn of the next one.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()
        self._form = _form(clip_row(self._rows[0]))

    def set_epoch(self, epoch: int) -> None:
        """Draw anew which clips are mirrored; call it before each pass."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = clip_row(self._rows[index], self._mirror, self._seed, int(self._epoch))
        form = _form(row)
        if form != self._form:
            video = self._rows[index]["video"]
            raise ClipError(
                "other_form", f"{video} holds {form}, other clips {self._form}; keep only clips of one form"
            )
        return {
            name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value for name, value in row.items()
        }


def _form(row: dict[str, Any]) -> str:
    return ", ".join(f"{name} {'x'.join(map(str, row[name].shape))}" for name in ("frames", "waveform"))


def _checked_rows(path: Path, clip: Clip) -> np.ndarray:
    rows = read_number_rows(path, _COLUMNS)
    height, width = clip.frames.shape[1:3]
    n_frames = _n_label_frames(clip)
    good = (rows == np.rint(rows)) & (rows >= 0) & (rows < (n_frames, np.inf, width, height))
    for line, column in np.argwhere(~good)[:1].tolist():
        raise ClipError(
            "bad_rows",
            f"{path} line {line + 1} has {_COLUMNS[column]} {rows[line, column]:g}, not a whole number within "
            f"the clip of {n_frames} label frames and {width}x{height} pixels; write the file again",
        )
    with_classes(rows, source=str(path))
    return rows.astype(np.int64)


def _n_label_frames(clip: Clip | LabelledClip) -> int:
    return clip.waveform.shape[1] * LABELS_PER_S // clip.rate_hz
