"""The worker that builds recordings."""

import json
from dataclasses import asdict

import numpy as np

from savg_ray.dataset.build import RecordingJob, build_in_child
from savg_ray.media.safe_reader import SafeReader


class DatasetBuilder:
    """Builds one recording after another, each in a child process that may crash without taking the worker along.

    Args:
        jobs: what there is to build, by name of recording.
        deadline_s: seconds after which a recording is given up.
    """

    def __init__(self, jobs: dict[str, RecordingJob], deadline_s: float) -> None:
        self._jobs = jobs
        self._reader = SafeReader(deadline_s)

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list[str]]:
        """Map names of recordings to outcomes, as JSON."""
        outcomes = [build_in_child(self._reader, self._jobs[name]) for name in batch["recording"]]
        return {"outcome": [json.dumps(asdict(outcome)) for outcome in outcomes]}
