"""Workers around somebody's generator, on a GPU of their own."""

from actors.stage_actor import StageActor


class GeneratorActor(StageActor):
    """Runs `savg_ray.stages.generate.GenerateStage`."""

    gpu_share = 1.0
    cpu_share = 1.0
