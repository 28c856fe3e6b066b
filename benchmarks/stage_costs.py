"""CPU seconds and arithmetic of each stage, beside what the reference spends."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count

from benchmarks.scratch import Scratch, filled_weights, preset
from savg_ray.evaluation.chain import clip_stages, window_stages
from savg_ray.evaluation.evaluation import Evaluation
from savg_ray.process import set_up_process
from savg_ray.stages.batch import Batch, decode, rows_of
from savg_ray.stages.stage import Stage

# The reference, measured on one CPU thread (tests/golden/metrics/costs.json): per 5 s clip, features per sub-clip.
# Decoding adds up the loader (48 + 12), SELD's own (68), the detector's seeks (96) and the flow's (11).
REFERENCE_CPU_S = {
    "decode": 0.235,
    "detections": 1.970,
    "video_features": 1.260,
    "temporal": 0.371,
    "seld": 2.529,
    "audio_features": 0.332,
}
# AudioCLIP's image tower and its transforms, whose results the reference throws away.
REFERENCE_UNUSED_CPU_S = 3.098

# Arithmetic that a clip needs, 2 operations per multiplication and addition; AudioCLIP's for 80000 samples.
USEFUL_GFLOP = {"detections": 128.25, "video_features": 69.7, "seld": 172.84, "audio_features": 21.07}
# Preset savg lets AudioCLIP hear the whole clip, 220500 samples rather than 80000.
WHOLE_CLIP_SOUND = 2.76


def stage_costs(scratch: Scratch, preset_name: str, n_windows: int) -> list[dict[str, Any]]:
    """One record per stage: median CPU seconds of a clip (official features: of a window), GFLOP, and the ratios."""
    config = preset(preset_name, n_windows)
    evaluation = scratch.evaluation(config, f"costs_{preset_name}")
    set_up_process()
    costs, gflop = defaultdict(list), defaultdict(list)
    stages, later = clip_stages(config, filled_weights()), window_stages(config, filled_weights())
    _measure(stages, evaluation.clip_batches(1), evaluation, costs, gflop)
    if config.official:
        _measure(later, evaluation.window_batches(), None, costs, gflop)
    names = [stage.name for stage in (*stages, *(later if config.official else []))]
    records = [_record(name, config.official, costs[name], gflop[name]) for name in names]
    total_s = sum(record["cpu_s"] for record in records)
    for record in records:
        record["cpu_share"] = round(record["cpu_s"] / total_s, 3)
    return [{"part": "stage_costs", "preset": preset_name, **record} for record in records]


def _measure(
    stages: Sequence[Stage],
    batches: list[Batch],
    evaluation: Evaluation | None,
    costs: dict[str, list[float]],
    gflop: dict[str, list[float]],
) -> None:
    for stage in stages:
        stage.load("cpu")
    try:
        for batch in batches:
            wanted = batch["role"][0] == "generated" or evaluation is None
            for stage in stages:
                batch = stage(batch)
            for row in rows_of(batch):
                if row["reason"]:
                    raise RuntimeError(row["error"])
                if wanted:
                    for name, value in row.items():
                        stage_name = name.removesuffix("_cpu_s")
                        # What a clip was not asked for (no window of it was drawn) cost nothing.
                        if name != stage_name and _n_results(row, stage_name):
                            costs[stage_name].append(float(value) / _n_results(row, stage_name))
            if evaluation is not None:
                evaluation.take_clips(batch)
        _count_flops(stages, batches[0], gflop)
    finally:
        for stage in stages:
            stage.close()


def _n_results(row: dict[str, Any], stage: str) -> int:
    if stage == "decode":
        return 1
    if stage in row["todo"].split(","):
        return len(decode(row[stage])) if stage in ("video_features", "audio_features") else 1
    return 0


def _count_flops(stages: Sequence[Stage], batch: Batch, gflop: dict[str, list[float]]) -> None:
    # The counter sees the transformer's layers only when they are not fused.
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        for stage in stages:
            counter = FlopCounterMode(
                display=False, custom_mapping={torch.ops.aten.mkldnn_convolution: _onednn_convolution_flop}
            )
            with counter:
                batch = stage(batch)
            row = next(rows_of(batch))
            gflop[stage.name].append(counter.get_total_flops() / 1e9 / max(1, _n_results(row, stage.name)))
    finally:
        torch.backends.mha.set_fastpath_enabled(True)


def _onednn_convolution_flop(
    x_shape: Sequence[int], weight_shape: Sequence[int], *_: object, out_shape: Sequence[int], **__: object
) -> int:
    return conv_flop_count(list(x_shape), list(weight_shape), list(out_shape))


def _record(stage: str, official: bool, costs_s: list[float], gflop: list[float]) -> dict[str, Any]:
    cpu_s, reference_s = median(costs_s), REFERENCE_CPU_S[stage]
    useful = USEFUL_GFLOP.get(stage, 0.0)
    if stage == "audio_features" and not official:
        useful *= WHOLE_CLIP_SOUND
    return {
        "stage": stage,
        "cpu_s": round(cpu_s, 4),
        "reference_cpu_s": reference_s,
        "reference_over_ours": round(reference_s / cpu_s, 2),
        "gflop": round(gflop[0], 2),
        "useful_gflop": round(useful, 2),
        "gflop_per_s": round(gflop[0] / cpu_s, 1),
        "n": len(costs_s),
    }
