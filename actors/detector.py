"""Person detection workers: YOLOX-tiny on (a share of) a GPU."""

from actors.stage_actor import StageActor


class Detector(StageActor):
    """Runs `savg_ray.stages.detections.DetectionStage`."""

    gpu_share = 0.25
    cpu_share = 0.29
