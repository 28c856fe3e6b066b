"""Video feature workers: I3D on (a share of) a GPU."""

from actors.stage_actor import StageActor


class VideoFeatures(StageActor):
    """Runs `savg_ray.stages.video_features.VideoFeatureStage`."""

    gpu_share = 0.25
    cpu_share = 0.13
