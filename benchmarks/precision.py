"""What bfloat16 does to each number and to the speed: the same clips, twice through the sequential stream."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from rich.console import Console

from benchmarks.scratch import Scratch, filled_weights, preset
from jobs.evaluate import Request, run_evaluation
from jobs.runner import StreamRunner

_FEATURES = ("video_features", "audio_features")


def bfloat16_effect(scratch: Scratch) -> list[dict[str, Any]]:
    """One record per metric, per kind of feature (differences, beside the spread of clips), per stage's cost."""
    full, half = (_run(scratch, precision) for precision in ("float32", "bfloat16"))
    records: list[dict[str, Any]] = []
    for name, metric in full["metrics"].items():
        values = metric["value"], half["metrics"][name]["value"]
        records.append({"metric": name, "float32": values[0], "bfloat16": values[1]})
    for stage in _FEATURES:
        x, y = (_features(run["out"], stage) for run in (full, half))
        difference = np.abs(x - y)
        records.append(
            {
                "features": stage,
                "largest_difference": float(difference.max()),
                "mean_difference": float(difference.mean()),
                "spread_between_clips": float(x.std(axis=0).mean()),
            }
        )
    for stage, cpu_s in full["cpu_s"].items():
        records.append(
            {
                "stage": stage,
                "float32_cpu_s": round(cpu_s, 4),
                "bfloat16_cpu_s": round(half["cpu_s"][stage], 4),
                "float32_over_bfloat16": round(cpu_s / half["cpu_s"][stage], 2),
            }
        )
    return [{"part": "bfloat16", **record} for record in records]


def _run(scratch: Scratch, precision: str) -> dict[str, Any]:
    out = scratch.root / precision
    request = Request(
        generated=scratch.generated,
        reference=scratch.reference,
        out=out,
        config=preset("savg", 0).model_copy(update={"precision": precision}),
        weights=filled_weights(),
        cache=out / "cache",
    )
    content = run_evaluation(request, StreamRunner("cpu", None), Console(quiet=True))
    return {**content, "out": out, "cpu_s": _median_costs(out)}


def _median_costs(out: Path) -> dict[str, float]:
    rows = pq.read_table(out / "clips.parquet").to_pylist()
    costs = [dict(row["cpu_s"]) for row in rows if row["role"] == "generated" and row["ok"]]
    return {stage: float(np.median([cost[stage] for cost in costs])) for stage in costs[0]}


def _features(out: Path, stage: str) -> np.ndarray:
    rows = pq.read_table(out / "features.parquet").to_pylist()
    return np.array([row["feature"] for row in rows if row["stage"] == stage])
