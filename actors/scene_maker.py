"""Scene workers: whole recordings of our own making, each on a CPU core."""

from pathlib import Path

from savg_ray.errors import ClipError
from savg_ray.process import set_up_process
from savg_ray.scenes.maker import make_recording
from savg_ray.scenes.settings import SceneSettings
from savg_ray.stages.batch import Batch, object_column


class SceneMaker:
    """Makes the recordings whose numbers are in the column ``recording``; adds ``reason`` and ``error``."""

    def __init__(self, out: Path, settings: SceneSettings) -> None:
        set_up_process()
        self._out, self._settings = out, settings

    def __call__(self, batch: Batch) -> Batch:
        """Make each recording, or say why it could not be made."""
        reasons, errors = [], []
        for recording in batch["recording"]:
            reason = error = ""
            try:
                make_recording(self._out, self._settings, int(recording))
            except ClipError as failure:
                reason, error = failure.reason, failure.message
            reasons.append(reason)
            errors.append(error)
        return {"recording": batch["recording"], "reason": object_column(reasons), "error": object_column(errors)}
