"""The chain of stages that a clip passes through, and what identifies the result of each."""

import platform
from importlib.metadata import version

from savg_ray.config import EvaluationConfig
from savg_ray.networks.seld import SeldConfig
from savg_ray.networks.yolox import YoloxConfig
from savg_ray.stages.audio_features import AudioFeatureStage, OfficialAudioFeatureStage
from savg_ray.stages.decode import DecodeStage
from savg_ray.stages.detections import DetectionStage
from savg_ray.stages.mini_features import AudioMiniStage, VideoMiniStage
from savg_ray.stages.network_stage import NetworkStage
from savg_ray.stages.seld import SeldStage
from savg_ray.stages.stage import Stage, drop_at_last_reader
from savg_ray.stages.temporal import TemporalStage
from savg_ray.stages.video_features import VideoFeatureStage
from savg_ray.weights.choose import ResolvedWeights

_OFFICIAL = {
    "video_features": "i3d",
    "audio_features": "audioclip",
    "seld": "seld",
    "detections": "yolox_tiny",
}
_MINI = {
    "video_features": "video_mini",
    "audio_features": "audio_mini",
    "seld": "seld_mini",
    "detections": "yolox_nano",
}


def networks(config: EvaluationConfig) -> dict[str, str]:
    """Names of the networks that score, by stage."""
    return _MINI if config.mini else _OFFICIAL


def clip_stages(config: EvaluationConfig, weights: dict[str, ResolvedWeights]) -> list[Stage]:
    """The stages of one clip, in an order that lets go of the pictures first and of the sound last.

    Under the official protocol the sound leaves as windows, for `window_stages`.

    Args:
        config: how clips are scored.
        weights: by network name.
    """
    stages = _mini_stages(config, weights) if config.mini else _official_stages(config, weights)
    drop_at_last_reader(stages)
    return stages


def _official_stages(config: EvaluationConfig, weights: dict[str, ResolvedWeights]) -> list[Stage]:
    official, precision = config.official, config.precision
    stages: list[Stage] = [
        DecodeStage(official, config.decode_deadline_s),
        DetectionStage(weights["yolox_tiny"], precision, config.detector, YoloxConfig()),
        VideoFeatureStage(weights["i3d"], precision, official),
        TemporalStage(one_to_one=not official),
        SeldStage(weights["seld"], precision, official, SeldConfig()),
    ]
    if not official:
        stages.append(AudioFeatureStage(weights["audioclip"], precision))
    return stages


def _mini_stages(config: EvaluationConfig, weights: dict[str, ResolvedWeights]) -> list[Stage]:
    precision = config.precision
    return [
        DecodeStage(False, config.decode_deadline_s, sound_44k1=False),
        DetectionStage(weights["yolox_nano"], precision, config.detector, YoloxConfig.nano()),
        VideoMiniStage(weights["video_mini"], precision),
        TemporalStage(one_to_one=True),
        SeldStage(weights["seld_mini"], precision, False, SeldConfig.mini()),
        AudioMiniStage(weights["audio_mini"], precision),
    ]


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
    name = networks(config).get(stage)
    if name is not None:
        # The name counts beside the sum: two filled networks may have the same entries.
        (scorer,) = (one for one in _network_stages(config, weights) if one.name == stage)
        identity |= {"network": name, "weights": scorer.weights_identity(), "precision": config.precision}
    if stage == "detections":
        identity["detector"] = config.detector
    return identity


def _network_stages(config: EvaluationConfig, weights: dict[str, ResolvedWeights]) -> list[NetworkStage]:
    stages = [*clip_stages(config, weights), *(window_stages(config, weights) if config.official else [])]
    return [stage for stage in stages if isinstance(stage, NetworkStage)]


def versions(device: str) -> dict[str, str]:
    """What computed the numbers: packages, interpreter and device."""
    packages = ("savg-ray", "torch", "torchvision", "numpy", "scipy", "av", "decord", "librosa", "ray")
    found = {package: version(package) for package in packages}
    return {**found, "opencv": _opencv_version(), "python": platform.python_version(), "device": device}


def _opencv_version() -> str:
    # The package has two names, of which the mmdet extra installs the other.
    import cv2

    return cv2.__version__
