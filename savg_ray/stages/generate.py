"""Clips of any generator: pictures and sound in one step."""

from pathlib import Path
from typing import Any

import numpy as np

from savg_ray.sampling.clip_seeds import ClipSeeds
from savg_ray.sampling.generator import check_output, construct
from savg_ray.stages.batch import Batch, batch_length, object_column, stack_padded
from savg_ray.stages.stage import Row, Stage, asked_outcomes, with_errors

_NOTHING = (np.zeros((1, 1, 1, 3), np.uint8), np.zeros((2, 1), np.float32))


class GenerateStage(Stage):
    """Adds ``made_frames`` uint8 (T, H, W, 3) and ``waveform`` float32 (2, L), as somebody's generator makes them.

    Args:
        reference: ``package.module:Class``.
        config: what the class is given.
        search_path: folder of the user's modules.
    """

    name = "generate"
    reads = ()

    def __init__(self, reference: str, config: dict[str, Any], search_path: Path) -> None:
        self.reference, self.config, self.search_path = reference, config, search_path

    def load(self, device: str) -> None:
        """Construct the generator and let it load."""
        self._generator = construct(self.reference, self.config, self.search_path)
        self._generator.load(device)

    def __call__(self, batch: Batch) -> Batch:
        """Generate every row that asks for it."""
        n = batch_length(batch)
        done, failed = asked_outcomes(batch, self.name, self._run)
        clips = [done.get(i, _NOTHING) for i in range(n)]
        out = dict(batch)
        out["made_frames"] = stack_padded([frames for frames, _ in clips])
        out["waveform"] = stack_padded([waveform for _, waveform in clips])
        out["nfe"], out["making_notes"] = np.zeros(n, np.int64), object_column([""] * n)
        out["making_fps"] = np.full(n, float(self._generator.fps))
        out["rate_hz"] = np.full(n, int(self._generator.rate_hz))
        return with_errors(out, failed)

    def _run(self, rows: list[Row]) -> list[tuple[np.ndarray, np.ndarray]]:
        seeds = [ClipSeeds(int(row["seed"]), int(row["index"])).number() for row in rows]
        frames, waveforms = self._generator.sample([row["id"] for row in rows], seeds)
        check_output(frames, waveforms, len(rows), self.reference)
        return list(zip(frames, waveforms, strict=True))
