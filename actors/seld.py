"""Sound event workers: stereo SELD on (a share of) a GPU."""

from actors.stage_actor import StageActor


class Seld(StageActor):
    """Runs `savg_ray.stages.seld.SeldStage`."""

    gpu_share = 0.25
    cpu_share = 0.35
