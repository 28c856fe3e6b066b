"""The small network behind fvd_mini as a task of training."""

from pathlib import Path
from typing import Any

import numpy as np

from savg_ray.networks.video_mini import N_FEATURES, VideoMini
from savg_ray.presets import validated
from savg_ray.training.clip_dataset import LabelledClip
from savg_ray.training.distortions import PICTURE_DISTORTIONS
from savg_ray.training.feature_task import FeatureKind, FeatureSettings, FeatureTask


def make_task(settings: dict[str, Any], data: Path) -> FeatureTask:
    """The task of settings.

    Raises:
        UserError: unknown key or a value out of range; as `FeatureTask`.
    """
    kind = FeatureKind(
        name="video_features",
        export_name="video_mini.safetensors",
        build=VideoMini,
        n_features=N_FEATURES,
        distortions=PICTURE_DISTORTIONS,
        media=_pictures,
    )
    return FeatureTask(kind, validated(FeatureSettings, settings, "task of the configuration"), data)


def _pictures(clip: LabelledClip) -> np.ndarray:
    return clip.frames
