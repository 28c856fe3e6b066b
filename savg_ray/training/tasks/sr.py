"""The super-resolution network as a task of training."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
from pydantic import Field, model_validator
from torch import nn

from savg_ray.diffusion.losses import clean_loss, mm_loss, sr_loss
from savg_ray.diffusion.schedules import diffusion_tables
from savg_ray.files import written_at_once
from savg_ray.media.pictures import resized
from savg_ray.media.reader import read_picture
from savg_ray.networks.sr_unet import SRUNet
from savg_ray.networks.unet_config import SRUNetConfig
from savg_ray.presets import validated
from savg_ray.sampling.clip_seeds import ClipSeeds
from savg_ray.sampling.config import SuperResolutionConfig, SuperResolutionModelConfig
from savg_ray.sampling.parts import Parts
from savg_ray.sampling.upsampler import SCALE, Upsampler, upsampled_rows
from savg_ray.training.clip_dataset import clip_paths, spread
from savg_ray.training.degradations import Degradations, degraded
from savg_ray.training.draws import Draw, batch_noise, draws_of
from savg_ray.training.task import Batch
from savg_ray.training.tasks.network_keys import check_network_keys

_FRAMES_AT_A_TIME = 4


class SuperResolutionSettings(SuperResolutionModelConfig):
    """What training the upsampler may be told, beside the keys that sampling shares.

    Attributes:
        height_px, width_px: of the large pictures; clips of another size are resized.
        antialias: average over what a small pixel covers; officially pictures are made small without.
        loss: of a network that predicts noise and variance, see `savg_ray.diffusion.losses.sr_loss`.
        degradations: of the small pictures.
        mirror: show half of the pictures mirrored.
        train_split: clips to learn from.
        validation_split: held-out clips.
        validation_frames: held-out pictures that are upsampled for a look and their signal-to-noise ratio.
        validation_respacing: steps that this takes.
        dropout: share of features that are dropped.
        recompute: compute activations again in the backward pass, for memory.
    """

    height_px: int = Field(default=256, ge=32)
    width_px: int = Field(default=256, ge=32)
    antialias: bool = True
    loss: Literal["mse", "rescaled_mse", "rescaled_kl"] = "mse"
    degradations: Degradations = Degradations()
    mirror: bool = False
    train_split: str = "dev"
    validation_split: str = "eval"
    validation_frames: int = Field(default=16, ge=1)
    validation_respacing: str = "ddim25"
    dropout: float = Field(default=0.0, ge=0, lt=1)
    recompute: bool = False

    @property
    def shape(self) -> SRUNetConfig:
        """The network in training.

        Raises:
            UserError: a key that it does not know.
        """
        return replace(super().shape, dropout=self.dropout, recompute=self.recompute)

    @property
    def sampling(self) -> SuperResolutionConfig:
        """How validation samples."""
        return SuperResolutionConfig(
            network=self.network,
            predicts=self.predicts,
            total_steps=self.total_steps,
            rows=self.rows,
            respacing=self.validation_respacing,
        )

    @model_validator(mode="after")
    def _network_and_task_say_the_same(self) -> "SuperResolutionSettings":
        check_network_keys(self.network, self.dropout, self.recompute)
        return self

    @model_validator(mode="after")
    def _sizes_and_outputs_fit(self) -> "SuperResolutionSettings":
        if self.height_px % SCALE or self.width_px % SCALE:
            raise ValueError(f"height_px and width_px must be multiples of {SCALE}")
        if self.predicts == "clean" and self.shape.learned_variance:
            raise ValueError("predicts: clean is for a network without a variance; set network.learn_sigma: false")
        if self.loss != "mse" and not self.shape.learned_variance:
            raise ValueError("only mse is a loss of a network without a variance (network.learn_sigma: false)")
        return self


class SuperResolutionTask:
    """The upsampler, learned from single frames and their small versions.

    Args:
        settings: see there.
        data: folder of a built data set.

    Raises:
        UserError: a split without clips, a network that cannot be built or cannot take the sizes, or a respacing that
            cannot be met.
    """

    name = "sr"
    best = ("held_out_loss", False)

    def __init__(self, settings: SuperResolutionSettings, data: Path) -> None:
        self.settings = settings
        self.export_name = "model_SR_mmdiff_120000.pt" if settings.network == "official" else "sr_mini.safetensors"
        self._videos = [video for video, _ in clip_paths(data, settings.train_split)]
        held_out = [video for video, _ in clip_paths(data, settings.validation_split)]
        self._held_out = spread(held_out, settings.validation_frames)
        rows = upsampled_rows(settings, settings.height_px // SCALE, settings.width_px // SCALE)
        self._small_rows, self._rows = rows, slice(SCALE * rows.start, SCALE * rows.stop)
        diffusion_tables(settings.total_steps, settings.validation_respacing)
        with torch.device("meta"):
            SRUNet(settings.shape).check_sizes(self._rows.stop - self._rows.start, settings.width_px)

    def build(self) -> nn.Module:
        """The network of the settings."""
        return SRUNet(self.settings.shape)

    def __len__(self) -> int:
        """Clips to learn from."""
        return len(self._videos)

    def item_name(self, index: int) -> str:
        """The clip's file."""
        return self._videos[index].name

    def example(self, index: int, draw: Draw) -> dict[str, np.ndarray]:
        """A frame of a clip: ``picture`` uint8 (3, H, W), and ``low_res`` float32 (3, h, w) in about [-1, 1].

        Raises:
            ClipError: the clip cannot be read.
        """
        picture, small = self._pair(self._videos[index], draw)
        if self.settings.mirror and draw.generator("mirror").integers(2):
            picture, small = picture[:, ::-1], small[:, ::-1]
        low_res = degraded(small, self.settings.degradations, draw)
        return {
            "picture": np.ascontiguousarray(picture.transpose(2, 0, 1)),
            "low_res": np.ascontiguousarray(low_res.transpose(2, 0, 1) / np.float32(127.5) - 1),
        }

    def loss(self, network: nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """``loss``, at steps that are drawn evenly, and its parts where it has any."""
        draws = draws_of(batch["draw"])
        steps = [int(draw.generator("step").integers(self.settings.total_steps)) for draw in draws]
        losses = self._losses(network, batch, draws, torch.tensor(steps))
        return {name: values.mean() for name, values in losses.items()}

    @torch.no_grad()
    def validate(self, network: nn.Module, folder: Path) -> dict[str, float]:
        """Loss on held-out frames, and how near upsampled ones come to the truth; ``pictures.png`` shows them.

        Each frame has a step and noise of its own, the same in every validation. ``psnr_db`` is of sampled pictures
        made from clean small ones, ``bicubic_psnr_db`` of bicubic interpolation.
        """
        device = next(network.parameters()).device
        n = len(self._held_out)
        draws = [Draw(0, place, 0) for place in range(n)]
        pairs = [self._pair(video, draw) for video, draw in zip(self._held_out, draws, strict=True)]
        sums: dict[str, float] = {}
        for first in range(0, n, _FRAMES_AT_A_TIME):
            places = range(first, min(first + _FRAMES_AT_A_TIME, n))
            small = [degraded(pairs[place][1], self.settings.degradations, draws[place]) for place in places]
            batch = {
                "picture": _columns([pairs[place][0] for place in places]).to(device),
                "low_res": (_columns(small) / 127.5 - 1).to(device),
            }
            steps = [(2 * place + 1) * self.settings.total_steps // (2 * n) for place in places]
            losses = self._losses(network, batch, [draws[place] for place in places], torch.tensor(steps))
            for name, values in losses.items():
                sums[name] = sums.get(name, 0.0) + float(values.sum())
        sampled, bicubic = self._sampled(network, pairs)
        large = [picture for picture, _ in pairs]
        rows = zip(bicubic, sampled, large, strict=True)
        with written_at_once(folder / "pictures.png") as part:
            sheet = np.concatenate([np.concatenate(row, axis=1) for row in rows])
            part.write_bytes(cv2.imencode(".png", sheet[:, :, ::-1])[1].tobytes())
        return {
            **{f"held_out_{name}": total / n for name, total in sums.items()},
            "psnr_db": _mean_psnr_db(sampled, large),
            "bicubic_psnr_db": _mean_psnr_db(bicubic, large),
        }

    def export(self, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """As it is."""
        return state

    def _losses(
        self, network: nn.Module, batch: Batch, draws: list[Draw], steps: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        settings = self.settings
        x0 = batch["picture"].float() / 127.5 - 1
        noise = batch_noise(draws, "noise", x0.shape[1:], x0.device)
        tables = diffusion_tables(settings.total_steps)

        def model(x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            return network(x, labels, batch["low_res"])

        if settings.predicts == "clean":
            return {"loss": clean_loss(model, x0, noise, steps, tables)}
        if not settings.shape.learned_variance:
            named = mm_loss(lambda x, labels: {"x": model(x["x"], labels)}, {"x": x0}, {"x": noise}, steps, tables)
            return {"loss": named.loss}
        parts = sr_loss(model, x0, noise, steps, tables, settings.loss)
        return {"loss": parts.loss, "mse": parts.mse, "vb": parts.vb}

    def _pair(self, video: Path, draw: Draw) -> tuple[np.ndarray, np.ndarray]:
        """A frame, uint8 (H, W, 3), and its small version, of the rows that are upsampled."""
        settings = self.settings
        frame = read_picture(video, lambda n: int(draw.generator("frame").integers(n)))
        height, width = settings.height_px, settings.width_px
        picture = resized(frame[None], height, width, settings.antialias)
        small = resized(picture, height // SCALE, width // SCALE, settings.antialias)
        return picture[0, self._rows], small[0, self._small_rows]

    def _sampled(
        self, network: nn.Module, pairs: list[tuple[np.ndarray, np.ndarray]]
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Held-out pictures, upsampled by the network and by bicubic interpolation."""
        whole = self.settings.sampling.model_copy(update={"rows": "all"})
        upsampler = Upsampler(network, whole, Parts(_FRAMES_AT_A_TIME))
        low_res = np.stack([small.transpose(2, 0, 1) for _, small in pairs])[:, None].astype(np.float32) / 127.5 - 1
        sampled = upsampler(low_res, [ClipSeeds(0, place) for place in range(len(pairs))])[:, 0]
        bicubic = [resized(small[None], *picture.shape[:2])[0] for picture, small in pairs]
        return list(sampled), bicubic


def make_task(settings: dict[str, Any], data: Path) -> SuperResolutionTask:
    """The task of settings.

    Raises:
        UserError: unknown key or a value out of range; as `SuperResolutionTask`.
    """
    return SuperResolutionTask(validated(SuperResolutionSettings, settings, "task of the configuration"), data)


def _columns(pictures: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack([picture.transpose(2, 0, 1) for picture in pictures]))


def _mean_psnr_db(found: list[np.ndarray], truth: list[np.ndarray]) -> float:
    """Peak signal-to-noise ratio, the mean over pictures."""
    errors = [np.mean((a.astype(np.float64) - b) ** 2) for a, b in zip(found, truth, strict=True)]
    return float(np.mean([10 * np.log10(255**2 / max(error, 1e-12)) for error in errors]))
