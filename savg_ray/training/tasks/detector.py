"""The person detector as a task of training: single frames, YOLOX's loss, people found in held-out frames."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import nn

from savg_ray.errors import ClipError, UserError
from savg_ray.networks.yolox import Yolox, YoloxConfig, person_boxes, preprocess
from savg_ray.networks.yolox_parts import LevelOutputs
from savg_ray.presets import validated
from savg_ray.training.box_score import BoxScore
from savg_ray.training.boxes import HARDLY_SEEN, PERSON
from savg_ray.training.clip_dataset import spread
from savg_ray.training.config import Section
from savg_ray.training.draws import Draw
from savg_ray.training.people_clips import Frames, people_clips, read_frames, without_bars
from savg_ray.training.people_sheet import with_boxes, write_sheet
from savg_ray.training.person_pictures import Changes, change_picture
from savg_ray.training.task import Batch
from savg_ray.training.yolox_loss import yolox_loss

_NETWORKS = {"tiny": YoloxConfig(), "nano": YoloxConfig.nano()}
_SHOWN_PICTURES = 12


class DetectorSettings(Section):
    """What training the detector may be told.

    Attributes:
        network: YOLOX-tiny, or YOLOX-nano for people alone.
        recordings: folder of scenes that the data was built from; needed once, to write the boxes beside the clips.
        train_split: clips to learn from.
        validation_split: held-out clips.
        validation_clips: how many of these, spread over all; None for all.
        validation_frames: how many frames of each, spread evenly; None for all.
        frames_kept: learn from so many frames of each clip, spread evenly, and keep them in memory, 0.1 MB a frame of
            256x144; None decodes for every example, and learns from all frames.
        mirror: show half of the examples mirrored.
        zoom: make examples up to this many times larger or smaller.
        colour: make channels brighter or darker by up to this share.
        soften: share of the examples that are made up to four times coarser.
    """

    network: Literal["tiny", "nano"] = "tiny"
    recordings: Path | None = None
    train_split: str = "dev"
    validation_split: str = "eval"
    validation_clips: int | None = Field(default=None, ge=1)
    validation_frames: int | None = Field(default=None, ge=1)
    frames_kept: int | None = Field(default=None, ge=1)
    mirror: bool = True
    zoom: float = Field(default=1.0, ge=1, le=4)
    colour: float = Field(default=0.0, ge=0, lt=1)
    soften: float = Field(default=0.0, ge=0, le=1)


class DetectorTask:
    """A person detector, learned from random frames of clips.

    Args:
        settings: see there.
        data: folder of a built data set.

    Raises:
        UserError: a split without clips, without boxes, or without a single person.
    """

    name = "detector"
    best = ("f_score", True)

    def __init__(self, settings: DetectorSettings, data: Path) -> None:
        self.settings = settings
        self.export_name = f"yolox_{settings.network}.safetensors"
        self._config = _NETWORKS[settings.network]
        self._changes = Changes(settings.mirror, settings.zoom, settings.colour, settings.soften)
        self._clips = people_clips(data, settings.train_split, settings.recordings)
        held_out = people_clips(data, settings.validation_split, settings.recordings)
        self._held_out = spread(held_out, settings.validation_clips)
        self._most_boxes = max(one.most_boxes for one in self._clips)
        self._kept: dict[int, Frames] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Without the frames that were kept: every worker keeps its own."""
        return {**self.__dict__, "_kept": {}}

    def build(self) -> nn.Module:
        """The network of the settings."""
        return _HeadOutputs(self._config)

    def __len__(self) -> int:
        return len(self._clips)

    def item_name(self, index: int) -> str:
        """Path of a clip."""
        return str(self._clips[index].video)

    def example(self, index: int, draw: Draw) -> dict[str, np.ndarray]:
        """A random frame of a clip, changed as the settings say.

        Returns:
            ``picture`` uint8 (3, S, S), BGR, as the network takes it; ``boxes_px`` float32 (M, 4) and ``labels``
            int64 (M,): 0 a person, -1 a person hardly seen, or, in a box of zeros, nothing.

        Raises:
            ClipError: the clip cannot be read.
        """
        clip, frames = self._clips[index], self._frames(index)
        random = draw.generator("frame")
        chosen = int(random.integers(len(frames.numbers)))
        boxes, labels = clip.people(frames.numbers[chosen])
        above = np.array([0, frames.first_row] * 2)
        content, boxes, labels = change_picture(frames.content[chosen], boxes - above, labels, self._changes, random)
        fitted, scale_wh = preprocess(frames.padded(content)[None, ..., ::-1], self._config.side_px)
        boxes_px, filled = np.zeros((self._most_boxes, 4), np.float32), np.full(self._most_boxes, HARDLY_SEEN)
        boxes_px[: len(boxes)], filled[: len(labels)] = (boxes + above) * (scale_wh * 2), labels
        return {"picture": fitted[0].numpy(), "boxes_px": boxes_px, "labels": filled}

    def loss(self, network: nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """YOLOX's loss, and its three parts."""
        pictures = batch["picture"].contiguous(memory_format=torch.channels_last).float()
        return yolox_loss(network(pictures), batch["boxes_px"], batch["labels"])

    def validate(self, network: nn.Module, folder: Path) -> dict[str, float]:
        """Recall and precision of the boxes that the evaluation would take; ``people.png`` shows some of them.

        Raises:
            UserError: a clip or its boxes cannot be read.
        """
        assert isinstance(network, Yolox)
        score, shown = BoxScore(), []
        try:
            for place, clip in enumerate(self._held_out):
                numbers, pictures = read_frames(clip, self.settings.validation_frames)
                found = network.detect(np.ascontiguousarray(pictures[..., ::-1]))
                people = [person_boxes(one).cpu().numpy() for one in found]
                for number, boxes in zip(numbers, people, strict=True):
                    truth, labels = clip.people(number)
                    score.update(boxes, truth[labels == PERSON], truth[labels != PERSON])
                if place * _SHOWN_PICTURES // len(self._held_out) == len(shown):
                    middle = len(numbers) // 2
                    truth, labels = clip.people(numbers[middle])
                    shown.append(with_boxes(pictures[middle], truth[labels == PERSON], people[middle]))
        except ClipError as error:
            raise UserError(str(error)) from error
        write_sheet(folder / "people.png", shown)
        return score.values()

    def export(self, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """As it is: the network has the official names."""
        return state

    def _frames(self, index: int) -> Frames:
        if index in self._kept:
            return self._kept[index]
        frames = without_bars(*read_frames(self._clips[index], self.settings.frames_kept))
        if self.settings.frames_kept is not None:
            self._kept[index] = frames
        return frames


def make_task(settings: dict[str, Any], data: Path) -> DetectorTask:
    """The task of the section ``task`` of a configuration.

    Raises:
        UserError: unknown key, a value out of range, or data that cannot be used.
    """
    return DetectorTask(validated(DetectorSettings, settings, "task of the configuration"), data)


class _HeadOutputs(Yolox):
    """A detector whose call gives what is learnt from; its weights have the same names."""

    def forward(self, pictures: torch.Tensor) -> list[LevelOutputs]:
        """Raw outputs of pictures (N, 3, S, S)."""
        return self.head_outputs(pictures)
