"""Sampling workers: the base diffusion on (a share of) a GPU."""

from actors.stage_actor import StageActor


class BaseSampler(StageActor):
    """Runs `savg_ray.stages.base_sampler.BaseSamplerStage`, or one of `savg_ray.stages.conditional_sampler`."""

    gpu_share = 0.25
    cpu_share = 1.0
