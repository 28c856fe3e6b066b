"""What the small feature networks learn: how broken a clip is and in which way, and what goes on in it."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

from savg_ray.metrics.frechet import frechet_distance
from savg_ray.training.clip_dataset import INACTIVE
from savg_ray.training.distortions import Distortion, distorted
from savg_ray.training.draws import Draw

LEVELS = (0.125, 0.25, 0.5, 0.75, 1.0)
"""Strengths at which validation looks, rising."""

_CONTENT_WEIGHT = 0.3
# Where a source moves by less than this share of the picture, it stands.
_MOTION_SCALE = 0.1


class PretextNetwork(nn.Module):
    """A feature network, and on its features one linear layer that answers all questions at once.

    The layer being linear, distortions that it tells apart by strength move the mean of the features by their
    strength, and so their Fréchet distance.

    Args:
        network: media (B, ...) to features (B, D).
        n_features: D.
        n_distortions: how many kinds of distortion there are.
    """

    def __init__(self, network: nn.Module, n_features: int, n_distortions: int) -> None:
        super().__init__()
        self.network = network
        self.answers = nn.Linear(n_features, n_distortions + len(CONTENT))

    def forward(self, media: Tensor) -> Tensor:
        """Answers (B, n_distortions + 3)."""
        return self.answers(self.network(media))


CONTENT = ("instrument", "place", "motion")
"""What is asked about the clip's content: is it an instrument that sounds, where (-1 left, 1 right), does it move."""


def content_targets(label_class: np.ndarray, label_px: np.ndarray, width_px: int) -> np.ndarray:
    """float32 (3,), as in `CONTENT`, from the columns of `clip_dataset.label_columns`; zeros where nothing sounds."""
    active = label_class != INACTIVE
    if not active.any():
        return np.zeros(len(CONTENT), np.float32)
    place = 2 * label_px[active, 0] / (width_px - 1) - 1
    motion = min(1.0, float(place.std()) / _MOTION_SCALE)
    return np.array([label_class[active].mean() > 0.5, place.mean(), motion], np.float32)


def clean_and_distorted(
    media: np.ndarray, distortions: Mapping[str, Distortion], share: float, draw: Draw
) -> tuple[np.ndarray, np.ndarray]:
    """A clip's pictures or sound, and the same broken: (2, ...); and the strengths of distortions, float32 (2, K).

    Each distortion is there with a chance of ``share``, at any strength.
    """
    rng = draw.generator("strengths")
    strengths = rng.uniform(0, 1, len(distortions)) * (rng.uniform(size=len(distortions)) < share)
    broken = distorted(media, distortions, strengths, draw.generator("distortions"))
    return np.stack([media, broken]), np.stack([np.zeros_like(strengths), strengths]).astype(np.float32)


def pretext_loss(answers: Tensor, strengths: Tensor, content: Tensor) -> dict[str, Tensor]:
    """How wrong the answers of a batch of pairs are.

    Args:
        answers: (2 B, K + 3) of `PretextNetwork`, pair after pair.
        strengths: (B, 2, K).
        content: (B, 3), the same for both of a pair.

    Returns:
        ``loss``; ``strength``, the mean squared error of strengths; ``instrument``, cross-entropy; ``place`` and
        ``motion``, mean squared errors.
    """
    n_kinds = strengths.shape[2]
    found, told = answers[:, :n_kinds], answers[:, n_kinds:]
    content = content.repeat_interleave(2, dim=0)
    strength = F.mse_loss(found, strengths.flatten(0, 1))
    instrument = F.binary_cross_entropy_with_logits(told[:, 0], content[:, 0])
    place, motion = F.mse_loss(told[:, 1], content[:, 1]), F.mse_loss(told[:, 2], content[:, 2])
    loss = n_kinds * strength + _CONTENT_WEIGHT * (instrument + place + motion)
    return {"loss": loss, "strength": strength, "instrument": instrument, "place": place, "motion": motion}


def distances_by_strength(
    features_of: Callable[[np.ndarray], np.ndarray],
    clips: Iterable[np.ndarray],
    distortions: Mapping[str, Distortion],
    levels: Sequence[float] = LEVELS,
) -> dict[str, list[float]]:
    """Fréchet distances to half of some clips of the other half, distorted more and more.

    Args:
        features_of: features (D,) of one clip's pictures or sound.
        clips: held-out ones, read once; every second is distorted.
        distortions: by name.
        levels: strengths, rising.

    Returns:
        For each distortion a distance untouched, and one at each level.
    """
    clean: list[np.ndarray] = []
    untouched: list[np.ndarray] = []
    broken: dict[str, list[list[np.ndarray]]] = {kind: [[] for _ in levels] for kind in distortions}
    for number, media in enumerate(clips):
        features = features_of(media)
        if number % 2 == 0:
            clean.append(features)
            continue
        untouched.append(features)
        for kind, distort in distortions.items():
            for level, found in zip(levels, broken[kind], strict=True):
                rng = Draw(0, number, 0).generator(f"{kind} {level}")
                found.append(features_of(distort(media, level, rng)))
    reference = np.stack(clean)
    start = frechet_distance(np.stack(untouched), reference)
    return {
        kind: [start, *(frechet_distance(np.stack(found), reference) for found in by_level)]
        for kind, by_level in broken.items()
    }


def rises(distances: Sequence[float]) -> bool:
    """Whether each distance is larger than the one before."""
    return all(a < b for a, b in itertools.pairwise(distances))
