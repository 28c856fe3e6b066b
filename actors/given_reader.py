"""Reading workers: the given half of clips in, on CPUs."""

from actors.stage_actor import StageActor


class GivenReader(StageActor):
    """Runs a stage of `savg_ray.stages.given_clip`."""

    gpu_share = 0.0
    cpu_share = 0.01
