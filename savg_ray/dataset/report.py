"""What a build tells: every candidate by its fate, every recording that is not in the dataset, and why."""

import json
from dataclasses import asdict
from typing import Any

from savg_ray.dataset.config import LABEL_RATE_HZ
from savg_ray.dataset.layout import why_not_written
from savg_ray.dataset.manifest import PartSummary, join_parts, read_summary
from savg_ray.dataset.plan import DatasetPlan
from savg_ray.dataset.recordings import Problem
from savg_ray.dataset.rules import FATES
from savg_ray.errors import UserError
from savg_ray.files import written_at_once


def write_report(plan: DatasetPlan, failures: list[Problem]) -> dict[str, Any]:
    """Join the manifest, count, and write ``report.json``.

    The same dataset gives the same bytes, whichever run finished it.

    Args:
        plan: of this run; its problems are part of the report.
        failures: recordings that failed in this run.

    Returns:
        The content of ``report.json``.

    Raises:
        UserError: the files cannot be written.
    """
    parts = sorted((plan.files.out / "manifest").glob("[!.]*.parquet"))
    summaries = {part: read_summary(part) for part in parts}
    sound = {part: summary for part, summary in summaries.items() if summary is not None}
    content = report_content(plan, list(sound.values()), plan.problems + failures)
    try:
        join_parts(list(sound), plan.files.manifest)
        with written_at_once(plan.files.report) as unfinished:
            unfinished.write_text(json.dumps(content, indent=2) + "\n")
    except OSError as error:
        raise UserError(
            f"{plan.files.out} cannot be written ({why_not_written(error)}); free space. All clips are there, and "
            "the same command goes on from there."
        ) from error
    return content


def report_content(plan: DatasetPlan, summaries: list[PartSummary], problems: list[Problem]) -> dict[str, Any]:
    """The report as plain data; durations in seconds and hours of kept clips."""
    by_split = {split: _total([s for s in summaries if s.split == split]) for split in plan.config.splits}
    kept = sum(summary.fates["kept"] for summary in summaries)
    labelled_s = {
        kind: sum(summary.labelled_frames[kind] for summary in summaries) / LABEL_RATE_HZ
        for kind in ("speech", "instrument", "other")
    }
    instrument = labelled_s["instrument"]
    problems = sorted(problems, key=lambda problem: problem.recording)
    return {
        "preset": plan.config.preset,
        "settings": plan.config.content,
        "n_recordings": len(summaries),
        "n_clips": kept,
        "hours": kept * plan.config.window_s / 3600,
        "labelled_s": labelled_s,
        "speech_to_instrument": labelled_s["speech"] / instrument if instrument else None,
        "candidates": _total(summaries),
        "splits": by_split,
        "recordings": {s.recording: {"split": s.split, **_total([s])} for s in summaries},
        "notes": [note for summary in summaries for note in summary.notes],
        "skipped": [_told(problem) for problem in problems if problem.skipped],
        "failed": [_told(problem) for problem in problems if not problem.skipped],
    }


def _total(summaries: list[PartSummary]) -> dict[str, int]:
    return {fate: sum(summary.fates[fate] for summary in summaries) for fate in FATES}


def _told(problem: Problem) -> dict[str, str]:
    return {key: value for key, value in asdict(problem).items() if key != "skipped"}
