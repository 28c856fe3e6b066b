"""Stereo SELD as a task of training: windows of sound, what is heard in them and where, a score on whole clips."""

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import nn

from savg_ray.csv_rows import read_number_rows
from savg_ray.errors import ClipError, UserError
from savg_ray.files import written_at_once
from savg_ray.media.reader import probe_clip, read_sound
from savg_ray.media.resample import pcm16
from savg_ray.metrics.seld_score import seld_score
from savg_ray.networks.seld import SeldConfig, SeldNet
from savg_ray.presets import validated
from savg_ray.seld.events import WIDTH_PX, detect_events
from savg_ray.seld.features import RATE_HZ, stereo_features
from savg_ray.seld.labels import frame_labels, with_classes
from savg_ray.seld.loss import detection_loss, localisation_loss, seld_loss
from savg_ray.spatial.screen import mirror_x_px
from savg_ray.training.clip_dataset import Mirror, clip_paths, is_mirrored, spread
from savg_ray.training.config import Section
from savg_ray.training.draws import Draw
from savg_ray.training.task import Batch

WINDOW_S = 1.27

_HALF = round(WINDOW_S / 2 * RATE_HZ)
_COLUMNS = ("frame", "class", "x")
_NETWORKS = {"official": SeldConfig(), "mini": SeldConfig.mini()}
_EXPORT_NAMES = {"official": "params_swa_20240912162834_0040000.pth", "mini": "seld_mini.safetensors"}


class SeldSettings(Section):
    """What training SELD may be told; the defaults are the official ones.

    Attributes:
        network: the official network, or SELD-mini.
        train_split: clips to learn from.
        validation_split: held-out clips.
        validation_clips: how many of these, spread over all; None for all.
        mirror: ``paired`` swaps channels and mirrors positions of half of the examples; ``official`` mirrors pictures
            alone, so that SELD, which sees none, learns from clips as they are, as with ``none``.
        gain_db: examples are made louder or softer by up to this.
        keep_sound: keep decoded sound in memory, 64 kB a second, rather than decode it for every example.
    """

    network: Literal["official", "mini"] = "official"
    train_split: str = "dev"
    validation_split: str = "eval"
    validation_clips: int | None = Field(default=None, ge=1)
    mirror: Mirror = "none"
    gain_db: float = Field(default=0.0, ge=0, le=40)
    keep_sound: bool = False


class SeldTask:
    """Stereo SELD, learned from random windows of 1.27 s as officially.

    Args:
        settings: see there.
        data: folder of a built data set, with clips 256 pixels wide.

    Raises:
        UserError: a split without clips, or pictures of another width.
    """

    name = "seld"
    best = ("seld_score", False)

    def __init__(self, settings: SeldSettings, data: Path) -> None:
        self.settings = settings
        self.export_name = _EXPORT_NAMES[settings.network]
        self._clips = clip_paths(data, settings.train_split)
        self._held_out = spread(clip_paths(data, settings.validation_split), settings.validation_clips)
        self._kept: dict[Path, np.ndarray] = {}
        _check_width(self._clips[0][0])

    def __getstate__(self) -> dict[str, Any]:
        """Without the sound that was kept: every worker keeps its own."""
        return {**self.__dict__, "_kept": {}}

    def build(self) -> nn.Module:
        """The network of the settings."""
        return SeldNet(_NETWORKS[self.settings.network])

    def __len__(self) -> int:
        return len(self._clips)

    def item_name(self, index: int) -> str:
        """Path of a clip."""
        return str(self._clips[index][0])

    def example(self, index: int, draw: Draw) -> dict[str, np.ndarray]:
        """A window around a random place of a clip.

        Returns:
            ``features`` float32 (3, 257, 128), ``activity`` and ``x_px`` float32 (2, 128).

        Raises:
            ClipError: the sound or the labels cannot be used, or the clip is too short.
        """
        video, labels = self._clips[index]
        sound, rows = self._sound(video), _label_rows(labels)
        rows = with_classes(rows, source=str(labels))
        if sound.shape[1] <= 2 * _HALF:
            length_s = sound.shape[1] / RATE_HZ
            raise ClipError(
                "too_short", f"{video} has {length_s:.2f} s of sound, but SELD learns from {WINDOW_S} s; leave it out"
            )
        start = int(draw.generator("window").integers(_HALF, sound.shape[1] - _HALF)) - _HALF
        window = sound[:, start : start + 2 * _HALF].astype(np.float32) / np.float32(32768.0)
        if self.settings.mirror == "paired" and is_mirrored(video.stem, draw.seed, draw.epoch):
            window = window[::-1]
            rows[:, 2] = mirror_x_px(rows[:, 2], WIDTH_PX)
        if self.settings.gain_db:
            gain_db = draw.generator("gain").uniform(-self.settings.gain_db, self.settings.gain_db)
            window = window * np.float32(10 ** (gain_db / 20))
        activity, x_px = frame_labels(rows, start / RATE_HZ, WINDOW_S)
        return {"features": stereo_features(window, center=True), "activity": activity, "x_px": x_px}

    def loss(self, network: nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """The official loss, and its two parts."""
        logits, position = (output.float() for output in network(batch["features"]))
        activity, x_px = batch["activity"], batch["x_px"]
        return {
            "loss": seld_loss(logits, position, activity, x_px),
            "detection_loss": detection_loss(logits.detach(), activity),
            "localisation_loss": localisation_loss(position.detach(), activity, x_px),
        }

    def validate(self, network: nn.Module, folder: Path) -> dict[str, float]:
        """Scores of whole held-out clips, heard as `savg_ray.stages.seld` hears them; ``score.json`` has all parts.

        Raises:
            UserError: a clip's sound or labels cannot be used, or no clip has a label.
        """
        files = {}
        try:
            for video, labels in self._held_out:
                waveform = self._sound(video).astype(np.float32) / np.float32(32768.0)
                files[video.stem] = _label_rows(labels), detect_events(network, waveform, official=False)
            score = seld_score(files)
        except ClipError as error:
            raise UserError(str(error)) from error
        parts = {**vars(score), "mean": vars(score.mean)}
        parts["by_class"] = {name: vars(one) for name, one in score.by_class.items()}
        with written_at_once(folder / "score.json") as part:
            part.write_text(json.dumps({"n_clips": len(files), **parts}, indent=2))
        return {
            "f_score": score.mean.f_score,
            "localization_error_px": score.mean.localization_error_px,
            "localization_recall": score.mean.localization_recall,
            "error_rate": score.error_rate,
            "seld_score": score.score,
        }

    def export(self, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """As it is: the network has the official names."""
        return state

    def _sound(self, video: Path) -> np.ndarray:
        """int16 (2, L) at 16 kHz, as the evaluation makes it."""
        if video in self._kept:
            return self._kept[video]
        waveform, rate_hz = read_sound(video)
        if waveform.shape[0] != 2:
            raise ClipError("not_stereo", f"{video} has {waveform.shape[0]} channels of sound; two are needed")
        sound = pcm16(waveform, rate_hz, RATE_HZ)
        if self.settings.keep_sound:
            self._kept[video] = sound
        return sound


def make_task(settings: dict[str, Any], data: Path) -> SeldTask:
    """The task of settings.

    Raises:
        UserError: unknown key or a value out of range; as `SeldTask`.
    """
    return SeldTask(validated(SeldSettings, settings, "task of the configuration"), data)


def _label_rows(path: Path) -> np.ndarray:
    """Frame, class id of the data set, x in pixels, float64 (n, 3)."""
    rows = read_number_rows(path, _COLUMNS, more_columns=True)
    for line in np.flatnonzero((rows[:, 2] < 0) | (rows[:, 2] >= WIDTH_PX))[:1].tolist():
        raise ClipError(
            "bad_rows",
            f"{path} line {line + 1} has x {rows[line, 2]:g}, not within a picture {WIDTH_PX} pixels wide; write it "
            "again",
        )
    return rows


def _check_width(video: Path) -> None:
    try:
        width_px = probe_clip(video).width_px
    except ClipError as error:
        raise UserError(str(error)) from error
    if width_px != WIDTH_PX:
        raise UserError(
            f"{video} has pictures {width_px} pixels wide, but SELD tells places in {WIDTH_PX} pixels; build the "
            f"data with pictures.width_px: {WIDTH_PX}."
        )
