"""Numbers to files: metrics.json, clips.parquet, features.parquet, the official CSVs, and a sheet of pictures."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from savg_ray.errors import UserError
from savg_ray.evaluation.chain import versions
from savg_ray.evaluation.evaluation import Evaluation
from savg_ray.evaluation.outcome import ClipOutcome
from savg_ray.evaluation.scores import spatial_alignments, temporal_score
from savg_ray.evaluation.sheet_clips import write_sheet
from savg_ray.files import written_at_once
from savg_ray.metrics import detection_rows
from savg_ray.metrics.result import Result
from savg_ray.seld import events
from savg_ray.weights.choose import ResolvedWeights

_CLIPS_SCHEMA = pa.schema(
    [
        ("role", pa.string()),
        ("clip_id", pa.string()),
        ("path", pa.string()),
        ("sha256", pa.string()),
        ("ok", pa.bool_()),
        ("reason", pa.string()),
        ("error", pa.string()),
        ("notes", pa.string()),
        ("n_frames", pa.int32()),
        ("fps", pa.float64()),
        ("tp", pa.int32()),
        ("fn", pa.int32()),
        ("temporal_av_align", pa.float64()),
        ("cpu_s", pa.map_(pa.string(), pa.float64())),
    ]
)
_FEATURES_SCHEMA = pa.schema(
    [("role", pa.string()), ("key", pa.string()), ("stage", pa.string()), ("feature", pa.list_(pa.float32()))]
)


def write_report(
    out: Path, evaluation: Evaluation, results: dict[str, Result], weights: dict[str, ResolvedWeights], device: str
) -> dict[str, Any]:
    """Write everything that a run leaves behind, and return the content of ``metrics.json``.

    Raises:
        UserError: the folder cannot be written (no permission, full disk).
    """
    content = metrics_json(evaluation, results, weights, device)
    try:
        _write_csvs(out, evaluation)
        _write_clips(out / "clips.parquet", evaluation)
        _write_features(out / "features.parquet", evaluation)
        write_sheet(out / "sheet.png", evaluation)
        # Last, so that a metrics.json speaks for complete files beside it.
        _write_whole(out / "metrics.json", json.dumps(content, indent=2) + "\n")
    except OSError as error:
        raise UserError(
            f"The results cannot be written to {out} ({error.strerror}); free space or name another folder with "
            "--out. The same command goes on from what is computed."
        ) from error
    return content


def metrics_json(
    evaluation: Evaluation, results: dict[str, Result], weights: dict[str, ResolvedWeights], device: str
) -> dict[str, Any]:
    """The content of ``metrics.json``: the numbers, and what is needed to trace and repeat them."""
    config = evaluation.config
    return {
        "preset": config.preset,
        "n_generated": len(evaluation.good("generated")),
        "n_reference": len(evaluation.good("reference")),
        "n_failed": len(evaluation.failed()),
        "failures": [
            {"role": one.plan.role, "clip_id": one.plan.id, "reason": one.reason, "error": one.error}
            for one in evaluation.failed()
        ],
        "metrics": {name: result.as_dict() for name, result in results.items()},
        "weights": {name: {"source": one.source, "sha256": one.sha256} for name, one in weights.items()},
        "config": config.model_dump(mode="json", exclude={"preset", "pools"}),
        "versions": versions(device),
    }


def _write_csvs(out: Path, evaluation: Evaluation) -> None:
    for folder in ("seld", "detections"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for outcome in evaluation.good("generated"):
        name = f"{outcome.plan.path.stem}.csv"
        events.write_rows(out / "seld" / name, outcome.array("seld"))
        detection_rows.write_rows(out / "detections" / name, outcome.array("detections"))


def _write_clips(path: Path, evaluation: Evaluation) -> None:
    alignments = spatial_alignments(evaluation)
    rows = [_clip_row(outcome) for outcome in evaluation.outcomes.values()]
    for row in rows:
        alignment = alignments.get(row["clip_id"]) if row["role"] == "generated" and row["ok"] else None
        row["tp"], row["fn"] = (alignment.tp, alignment.fn) if alignment else (None, None)
    _write_table(path, rows, _CLIPS_SCHEMA)


def _clip_row(outcome: ClipOutcome) -> dict[str, Any]:
    scored = outcome.ok and outcome.plan.role == "generated"
    return {
        "role": outcome.plan.role,
        "clip_id": outcome.plan.id,
        "path": str(outcome.plan.path),
        "sha256": outcome.plan.sha256,
        "ok": outcome.ok,
        "reason": outcome.reason,
        "error": outcome.error,
        "notes": outcome.notes,
        "n_frames": outcome.n_frames,
        "fps": outcome.fps,
        "temporal_av_align": temporal_score(outcome) if scored else None,
        "cpu_s": list(outcome.costs_cpu_s.items()),
    }


def _write_features(path: Path, evaluation: Evaluation) -> None:
    rows = []
    for role in ("generated", "reference"):
        for stage in ("video_features", "audio_features"):
            keys, features = evaluation.features(role, stage)
            rows += [
                {"role": role, "key": key, "stage": stage, "feature": feature}
                for key, feature in zip(keys, features, strict=True)
            ]
    _write_table(path, rows, _FEATURES_SCHEMA)


def _write_table(path: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    with written_at_once(path) as part:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), part)


def _write_whole(path: Path, text: str) -> None:
    with written_at_once(path) as part:
        part.write_text(text)
