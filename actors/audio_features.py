"""Audio feature workers: AudioCLIP on (a share of) a GPU."""

from actors.stage_actor import StageActor


class AudioFeatures(StageActor):
    """Runs the stages of `savg_ray.stages.audio_features`."""

    gpu_share = 0.25
    cpu_share = 0.15
