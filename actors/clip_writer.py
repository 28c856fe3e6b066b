"""Writing workers: clips to mp4 on CPU cores."""

from actors.stage_actor import StageActor


class ClipWriter(StageActor):
    """Runs `savg_ray.stages.write_clip.WriteClipStage`."""

    gpu_share = 0.0
    cpu_share = 0.05
