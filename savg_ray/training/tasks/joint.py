"""The joint network of pictures and sound as a task of training."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import nn

from savg_ray.diffusion.losses import clean_loss, mm_loss
from savg_ray.diffusion.noise_schedule import TOTAL_STEPS
from savg_ray.diffusion.schedules import diffusion_tables
from savg_ray.diffusion.states import Modalities, each
from savg_ray.errors import ClipError
from savg_ray.networks.mm_unet import MMUNet
from savg_ray.networks.unet_config import MMUNetConfig
from savg_ray.presets import validated
from savg_ray.sampling.config import BaseModelConfig
from savg_ray.sampling.small_pictures import small_pictures
from savg_ray.sampling.sound_form import colour_gains, diffusion_sound, place_colour
from savg_ray.training.clip_dataset import (
    LabelledClip,
    Mirror,
    clip_paths,
    mirrored,
    read_labelled_clip,
    spread,
)
from savg_ray.training.draws import Draw, batch_noise, draws_of
from savg_ray.training.sampled_clips import SampledClips, clip_scoring
from savg_ray.training.task import Batch
from savg_ray.training.tasks.network_keys import check_network_keys

_HELD_OUT_AT_A_TIME = 4


class JointSettings(BaseModelConfig):
    """What training the joint network may be told, beside the keys that sampling shares.

    Attributes:
        train_split: clips to learn from.
        validation_split: held-out clips.
        validation_clips: how many of these, spread over all; None for all.
        antialias: average over what a small pixel covers; officially pictures are made small without.
        mirror: how clips are mirrored; ``official`` mirrors all pictures and leaves left and right of the sound.
        dropout: share of features that are dropped.
        recompute: compute activations again in the backward pass, for memory.
        in_memory: keep small pictures and sound of the clips that were read, 0.8 MB each at the mini's sizes.
        samples: clips that validation samples and scores; None for none.
    """

    train_split: str = "dev"
    validation_split: str = "eval"
    validation_clips: int | None = Field(default=64, ge=1)
    antialias: bool = True
    mirror: Mirror = "paired"
    dropout: float = Field(default=0.1, ge=0, lt=1)
    recompute: bool = False
    in_memory: bool = False
    samples: SampledClips | None = None

    @property
    def shape(self) -> MMUNetConfig:
        """The network in training.

        Raises:
            UserError: a key that it does not know.
        """
        return replace(super().shape, dropout=self.dropout, recompute=self.recompute)

    @model_validator(mode="after")
    def _network_and_task_say_the_same(self) -> "JointSettings":
        check_network_keys(self.network, self.dropout, self.recompute)
        return self


class JointTask:
    """Stereo MM-Diffusion, learned from whole clips.

    Args:
        settings: see there.
        data: folder of a built data set.

    Raises:
        UserError: a split without clips, or a network that cannot be built or cannot take the sizes.
    """

    name = "joint"
    best = ("held_out_loss", False)

    def __init__(self, settings: JointSettings, data: Path) -> None:
        self.settings = settings
        self.export_name = "model330011.pt" if settings.network == "official" else "mm_mini.safetensors"
        self._clips = clip_paths(data, settings.train_split)
        held_out = clip_paths(data, settings.validation_split)
        self._held_out = spread(held_out, settings.validation_clips)
        videos = [video for video, _ in held_out]
        self._scoring = None if settings.samples is None else clip_scoring(settings.samples, settings, videos)
        self._kept: dict[int, LabelledClip] = {}
        with torch.device("meta"):
            network = MMUNet(settings.shape)
        network.check_sizes(settings.n_frames, settings.height_px, settings.width_px, settings.n_samples)
        self._largest_shifts = np.array(network.shift_ranges, np.int64)

    def __getstate__(self) -> dict[str, Any]:
        """Without the clips that were kept: every worker keeps its own."""
        return {**self.__dict__, "_kept": {}}

    def build(self) -> nn.Module:
        """The network of the settings."""
        return MMUNet(self.settings.shape)

    def __len__(self) -> int:
        """Clips to learn from."""
        return len(self._clips)

    def item_name(self, index: int) -> str:
        """The clip's file."""
        return self._clips[index][0].name

    def example(self, index: int, draw: Draw) -> dict[str, np.ndarray]:
        """``video`` uint8 (F, 3, H, W), and ``audio`` and ``places`` as `diffusion_sound` gives them.

        Raises:
            ClipError: the clip cannot be read or has another form.
        """
        clip = self._kept.get(index) or self._small(self._clips[index])
        if self.settings.in_memory:
            self._kept[index] = clip
        return self._columns(mirrored(clip, self.settings.mirror, draw.seed, draw.epoch))

    def loss(self, network: nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """``loss``, and its two parts, ``video`` and ``audio``, at steps that are drawn evenly."""
        draws = draws_of(batch["draw"])
        steps = torch.tensor([int(draw.generator("step").integers(TOTAL_STEPS)) for draw in draws])
        return {name: values.mean() for name, values in self._losses(network, batch, draws, steps).items()}

    @torch.no_grad()
    def validate(self, network: nn.Module, folder: Path) -> dict[str, float]:
        """The loss on held-out clips, each at a step and with noise of its own, the same in every validation.

        And, where samples are asked for, the evaluation's metrics of clips sampled into ``folder/clips``.
        """
        device = next(network.parameters()).device
        sums: dict[str, float] = {}
        for first in range(0, len(self._held_out), _HELD_OUT_AT_A_TIME):
            places = range(first, min(first + _HELD_OUT_AT_A_TIME, len(self._held_out)))
            columns = [self._columns(self._small(self._held_out[place])) for place in places]
            batch = {
                name: torch.from_numpy(np.stack([one[name] for one in columns])).to(device) for name in columns[0]
            }
            draws = [Draw(0, place, 0) for place in places]
            steps = torch.tensor([(2 * place + 1) * TOTAL_STEPS // (2 * len(self._held_out)) for place in places])
            for name, values in self._losses(network, batch, draws, steps).items():
                sums[name] = sums.get(name, 0.0) + float(values.sum())
        values = {f"held_out_{name}": total / len(self._held_out) for name, total in sums.items()}
        return values if self._scoring is None else {**values, **self._scoring(network, folder)}

    def export(self, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """As it is."""
        return state

    def _losses(self, network: nn.Module, batch: Batch, draws: list[Draw], steps: torch.Tensor) -> Modalities:
        settings, device = self.settings, batch["video"].device
        gains: Modalities = {"video": colour_gains(settings, device), "audio": torch.ones((), device=device)}
        x0 = each(torch.mul, {"video": _pictures(batch), "audio": batch["audio"]}, gains)
        noise = {name: batch_noise(draws, f"{name} noise", x.shape[1:], device) for name, x in x0.items()}
        # Drawn before the call and handed over, so that activations computed again see the same windows.
        shifts = np.stack([draw.generator("shifts").integers(0, self._largest_shifts + 1) for draw in draws])
        shifts = torch.from_numpy(shifts).to(device)

        def model(x: Modalities, labels: torch.Tensor) -> Modalities:
            video, audio = network(x["video"], x["audio"], labels, shifts)
            return {"video": video, "audio": audio}

        tables = diffusion_tables(TOTAL_STEPS)
        if settings.predicts == "clean":
            parts = clean_loss(
                lambda x, labels: model(each(torch.mul, x, gains), labels),
                each(torch.div, x0, gains),
                each(torch.div, noise, gains),
                steps,
                tables,
            )
        else:
            parts = mm_loss(model, x0, noise, steps, tables).mse
        return {"loss": torch.stack(list(parts.values())).sum(dim=0), **parts}

    def _columns(self, clip: LabelledClip) -> dict[str, np.ndarray]:
        sound, places = diffusion_sound(clip.waveform, self.settings)
        columns = {"video": clip.frames.transpose(0, 3, 1, 2), "audio": sound}
        if places is not None:
            columns["places"] = places
        return {name: np.ascontiguousarray(values) for name, values in columns.items()}

    def _small(self, paths: tuple[Path, Path]) -> LabelledClip:
        """A clip with pictures of the network's size, without labels."""
        clip, settings = read_labelled_clip(*paths), self.settings
        found = (len(clip.frames), clip.fps, clip.waveform.shape[1], clip.rate_hz)
        wanted = (settings.n_frames, settings.fps, settings.n_samples, settings.rate_hz)
        if found != wanted:
            raise ClipError(
                "other_form",
                f"{paths[0]} has {found[0]} frames at {found[1]:g} fps and {found[2]} samples at {found[3]} Hz, not "
                f"{wanted[0]} at {wanted[1]:g} and {wanted[2]} at {wanted[3]}; build the data anew, "
                "or change task.n_frames, fps, n_samples and rate_hz",
            )
        frames = small_pictures(clip.frames, settings, settings.antialias)
        return LabelledClip(clip.id, frames, clip.fps, clip.waveform, clip.rate_hz, clip.labels[:0])


def make_task(settings: dict[str, Any], data: Path) -> JointTask:
    """The task of settings.

    Raises:
        UserError: unknown key or a value out of range; as `JointTask`.
    """
    return JointTask(validated(JointSettings, settings, "task of the configuration"), data)


def _pictures(batch: Batch) -> torch.Tensor:
    """Colours in [-1, 1], float32 (B, F, C, H, W), the places of the sound among them where there are any."""
    video = batch["video"].float() / 127.5 - 1
    if "places" not in batch:
        return video
    return torch.cat((video, place_colour(batch["places"], video.shape[3])), dim=2)
