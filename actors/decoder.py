"""Decoding workers: files in, pictures and sound out, on CPUs."""

from actors.stage_actor import StageActor


class Decoder(StageActor):
    """Runs `savg_ray.stages.decode.DecodeStage`."""

    gpu_share = 0.0
    cpu_share = 0.01
