"""Super-resolution workers: the upsampler on (most of) a GPU."""

from actors.stage_actor import StageActor


class SuperResolution(StageActor):
    """Runs `savg_ray.stages.super_resolution.SuperResolutionStage`."""

    gpu_share = 0.75
    cpu_share = 1.0
