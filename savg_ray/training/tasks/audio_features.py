"""The small network behind fad_mini as a task of training."""

from pathlib import Path
from typing import Any

import numpy as np

from savg_ray.errors import ClipError
from savg_ray.networks.audio_mini import N_FEATURES, RATE_HZ, AudioMini
from savg_ray.presets import validated
from savg_ray.training.clip_dataset import LabelledClip
from savg_ray.training.distortions import SOUND_DISTORTIONS
from savg_ray.training.feature_task import FeatureKind, FeatureSettings, FeatureTask


def make_task(settings: dict[str, Any], data: Path) -> FeatureTask:
    """The task of settings.

    Raises:
        UserError: unknown key or a value out of range; as `FeatureTask`.
    """
    kind = FeatureKind(
        name="audio_features",
        export_name="audio_mini.safetensors",
        build=AudioMini,
        n_features=N_FEATURES,
        distortions=SOUND_DISTORTIONS,
        media=_sound,
    )
    return FeatureTask(kind, validated(FeatureSettings, settings, "task of the configuration"), data)


def _sound(clip: LabelledClip) -> np.ndarray:
    if clip.rate_hz != RATE_HZ:
        raise ClipError("other_rate", f"{clip.id} has sound at {clip.rate_hz} Hz; build the data at {RATE_HZ} Hz")
    return clip.waveform
