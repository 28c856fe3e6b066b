"""Training a small feature network, of pictures or of sound, on clips and broken clips."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from torch import nn

from savg_ray.errors import ClipError, UserError
from savg_ray.files import written_at_once
from savg_ray.training.clip_dataset import (
    LabelledClip,
    Mirror,
    clip_paths,
    label_columns,
    mirrored,
    read_labelled_clip,
    spread,
)
from savg_ray.training.config import Section
from savg_ray.training.distortions import Distortion
from savg_ray.training.draws import Draw
from savg_ray.training.pretext import (
    LEVELS,
    PretextNetwork,
    clean_and_distorted,
    content_targets,
    distances_by_strength,
    pretext_loss,
    rises,
)
from savg_ray.training.task import Batch

_NETWORK = "network."


class FeatureSettings(Section):
    """What training a feature network may be told.

    Attributes:
        train_split: clips to learn from.
        validation_split: held-out clips.
        validation_clips: how many of these, spread over all.
        mirror: how clips to learn from are mirrored.
        distorted_share: share of clips that have any one of the distortions.
    """

    train_split: str = "dev"
    validation_split: str = "eval"
    validation_clips: int = Field(default=64, ge=4)
    mirror: Mirror = "paired"
    distorted_share: float = Field(default=0.4, gt=0, le=1)


@dataclass(frozen=True)
class FeatureKind:
    """What distinguishes the two feature networks.

    Attributes:
        name: of the task.
        export_name: file of the weights.
        build: the network, which maps ``media`` with a batch axis to features.
        n_features: their width.
        distortions: ways to break ``media``, by name.
        media: what the network sees or hears of a clip; may raise `ClipError`.
    """

    name: str
    export_name: str
    build: Callable[[], nn.Module]
    n_features: int
    distortions: Mapping[str, Distortion]
    media: Callable[[LabelledClip], np.ndarray]


class FeatureTask:
    """A feature network, learned by telling how clips were broken and what goes on in them (`pretext`).

    Args:
        kind: which network.
        settings: see there.
        data: folder of a built data set.

    Raises:
        UserError: a split without clips, or without enough held-out ones.
    """

    best = ("loss", False)

    def __init__(self, kind: FeatureKind, settings: FeatureSettings, data: Path) -> None:
        self.name, self.export_name = kind.name, kind.export_name
        self.settings = settings
        self._kind = kind
        self._clips = clip_paths(data, settings.train_split)
        held_out, n = clip_paths(data, settings.validation_split), settings.validation_clips
        if len(held_out) < n:
            raise UserError(
                f"{data / f'video_{settings.validation_split}'} holds {len(held_out)} clips, but validation_clips of "
                f"the configuration is {n}; build more clips, or lower it."
            )
        self._held_out = spread(held_out, n)

    def build(self) -> nn.Module:
        """The network with the layer that answers questions."""
        return PretextNetwork(self._kind.build(), self._kind.n_features, len(self._kind.distortions))

    def __len__(self) -> int:
        return len(self._clips)

    def item_name(self, index: int) -> str:
        """Path of a clip."""
        return str(self._clips[index][0])

    def example(self, index: int, draw: Draw) -> dict[str, np.ndarray]:
        """A clip as it is, and the same clip broken.

        Returns:
            ``media`` (2, ...), ``strengths`` float32 (2, K) of the distortions, ``content`` float32 (3,).

        Raises:
            ClipError: the clip or its labels cannot be used.
        """
        clip = read_labelled_clip(*self._clips[index])
        return self._example(mirrored(clip, self.settings.mirror, draw.seed, draw.epoch), draw)

    def loss(self, network: nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """As `pretext_loss`."""
        answers = network(batch["media"].flatten(0, 1)).float()
        return pretext_loss(answers, batch["strengths"], batch["content"])

    def validate(self, network: nn.Module, folder: Path) -> dict[str, float]:
        """Losses on held-out clips, and how many distortions move the features further the stronger they are.

        ``distances.json`` takes the Fréchet distances behind this, by distortion and strength.

        Raises:
            UserError: a held-out clip cannot be used.
        """
        device = next(network.parameters()).device
        try:
            values = self._held_out_losses(network, device)
            distances = distances_by_strength(
                lambda media: _features(network, media, device), self._held_out_media(), self._kind.distortions
            )
        except ClipError as error:
            raise UserError(str(error)) from error
        with written_at_once(folder / "distances.json") as part:
            content = {"strengths": [0.0, *LEVELS], "n_clips": len(self._held_out), "distances": distances}
            part.write_text(json.dumps(content, indent=2) + "\n")
        rising = [rises(by_strength) for by_strength in distances.values()]
        return {**values, "rising_share": sum(rising) / len(rising)}

    def export(self, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The feature network alone."""
        return {key.removeprefix(_NETWORK): value for key, value in state.items() if key.startswith(_NETWORK)}

    def _example(self, clip: LabelledClip, draw: Draw) -> dict[str, np.ndarray]:
        media, strengths = clean_and_distorted(
            self._kind.media(clip), self._kind.distortions, self.settings.distorted_share, draw
        )
        content = content_targets(**label_columns(clip), width_px=clip.frames.shape[2])
        return {"media": media, "strengths": strengths, "content": content}

    @torch.no_grad()
    def _held_out_losses(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        losses: list[dict[str, float]] = []
        for number, paths in enumerate(self._held_out):
            example = self._example(read_labelled_clip(*paths), Draw(0, number, 0))
            batch = {name: torch.from_numpy(column[None]).to(device) for name, column in example.items()}
            losses.append({name: float(value) for name, value in self.loss(network, batch).items()})
        return {name: float(np.mean([one[name] for one in losses])) for name in losses[0]}

    def _held_out_media(self) -> Iterator[np.ndarray]:
        return (self._kind.media(read_labelled_clip(*paths)) for paths in self._held_out)


@torch.no_grad()
def _features(network: nn.Module, media: np.ndarray, device: torch.device) -> np.ndarray:
    return network.network(torch.from_numpy(np.ascontiguousarray(media))[None].to(device))[0].float().cpu().numpy()
