"""What a run has found out about each clip: results by stage, or the reason why there are none."""

from dataclasses import dataclass, field

import numpy as np

from savg_ray.evaluation.plan import ClipPlan
from savg_ray.stages.batch import decode


@dataclass
class ClipOutcome:
    """One clip's row of the run.

    Attributes:
        plan: which clip.
        results: stage name to .npy bytes.
        costs_cpu_s: stage name to CPU seconds spent in this run; nothing for results of earlier runs.
        n_frames: frames as scored.
        fps: their rate.
        notes: what was adapted.
        reason: why the clip failed; empty when it did not.
        error: the same in a sentence.
    """

    plan: ClipPlan
    results: dict[str, bytes] = field(default_factory=dict)
    costs_cpu_s: dict[str, float] = field(default_factory=dict)
    n_frames: int = 0
    fps: float = 0.0
    notes: str = ""
    reason: str = ""
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing went wrong."""
        return not self.reason

    def array(self, stage: str) -> np.ndarray | None:
        """A stage's result, or None when it has none."""
        data = self.results.get(stage)
        return None if data is None else decode(data)

    def header(self) -> np.ndarray:
        """What the decoder said, as an array that a feature store can keep."""
        return np.array([str(self.n_frames), repr(self.fps), self.notes])

    def take_header(self, header: np.ndarray) -> None:
        """The inverse of `header`."""
        n_frames, fps, notes = header.tolist()
        self.n_frames, self.fps, self.notes = int(n_frames), float(fps), notes
