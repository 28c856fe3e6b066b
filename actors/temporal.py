"""Temporal alignment workers: onsets and optical flow, on CPUs."""

from actors.stage_actor import StageActor


class Temporal(StageActor):
    """Runs `savg_ray.stages.temporal.TemporalStage`."""

    gpu_share = 0.0
    cpu_share = 0.07
