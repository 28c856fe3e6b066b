"""The chain of stages that a clip passes through, and what identifies the result of each."""

import platform
from importlib.metadata import version

from savg_ray.config import EvaluationConfig
from savg_ray.stages.audio_features import AudioFeatureStage, OfficialAudioFeatureStage
from savg_ray.stages.decode import DecodeStage
from savg_ray.stages.detections import DetectionStage
from savg_ray.stages.seld import SeldStage
from savg_ray.stages.stage import Stage, drop_at_last_reader
from savg_ray.stages.temporal import TemporalStage
from savg_ray.stages.video_features import VideoFeatureStage
from savg_ray.weights.choose import ResolvedWeights

NETWORKS = ("i3d", "audioclip", "seld", "yolox_tiny")
NETWORK_OF_STAGE = {
    "detections": "yolox_tiny",
    "video_features": "i3d",
    "seld": "seld",
    "audio_features": "audioclip",
}


def clip_stages(config: EvaluationConfig, weights: dict[str, ResolvedWeights]) -> list[Stage]:
    """The stages of one clip, in an order that lets go of the pictures first and of the sound last.

    Under the official protocol the sound leaves as windows, for `window_stages`.
    """
    official, precision = config.official, config.precision
    stages: list[Stage] = [
        DecodeStage(official, config.decode_deadline_s),
        DetectionStage(weights["yolox_tiny"], precision, config.detector),
        VideoFeatureStage(weights["i3d"], precision, official),
        TemporalStage(one_to_one=not official),
        SeldStage(weights["seld"], precision, official),
    ]
    if not official:
        stages.append(AudioFeatureStage(weights["audioclip"], precision))
    drop_at_last_reader(stages)
    return stages


def window_stages(config: EvaluationConfig, weights: dict[str, ResolvedWeights]) -> list[Stage]:
    """The stage of one official batch of windows."""
    stages: list[Stage] = [OfficialAudioFeatureStage(weights["audioclip"], config.precision)]
    drop_at_last_reader(stages)
    return stages


def stage_identity(
    stage: str, config: EvaluationConfig, weights: dict[str, ResolvedWeights], device: str
) -> dict[str, str]:
    """Everything besides the clip that could change a stage's result."""
    identity = {
        "protocol": config.protocol,
        "decoder": f"decord {version('decord')}, av {version('av')}",
        "torch": version("torch"),
        "device": device,
    }
    if stage in NETWORK_OF_STAGE:
        resolved = weights[NETWORK_OF_STAGE[stage]]
        identity |= {"weights": resolved.sha256 or resolved.source, "precision": config.precision}
    if stage == "detections":
        identity["detector"] = config.detector
    return identity


def versions(device: str) -> dict[str, str]:
    """What computed the numbers: packages, interpreter and device."""
    packages = ("savg-ray", "torch", "torchvision", "numpy", "scipy", "av", "decord", "librosa", "ray")
    found = {package: version(package) for package in packages}
    return {**found, "opencv": _opencv_version(), "python": platform.python_version(), "device": device}


def _opencv_version() -> str:
    # The package has two names, of which the mmdet extra installs the other.
    import cv2

    return cv2.__version__
