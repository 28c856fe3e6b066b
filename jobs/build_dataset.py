"""The dataset job: a folder of 360° recordings in, clips, manifest and report out."""

import json
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from actors.dataset_builder import DatasetBuilder
from jobs.command import resumable, run_command
from jobs.folder_lock import alone_in
from jobs.one_by_one import stream_on_ray
from jobs.progress import StreamProgress
from jobs.runner import Runner
from savg_ray.dataset.build import Outcome, build_in_child, count_label_frames
from savg_ray.dataset.config import DatasetConfig, load_dataset_config
from savg_ray.dataset.plan import DatasetPlan, plan_dataset
from savg_ray.dataset.recordings import Problem
from savg_ray.dataset.report import write_report
from savg_ray.dataset.rules import FATES
from savg_ray.errors import UserError
from savg_ray.media.safe_reader import SafeReader

_LISTED = 50


def run_build(root: Path, out: Path, config: DatasetConfig, runner: Runner) -> dict[str, Any]:
    """Build what is missing and return the content of ``report.json``.

    Raises:
        UserError: the folders or the cluster cannot be used, or the disk is full.
    """
    with SafeReader(config.recording_deadline_s) as reader:
        plan = plan_dataset(root, out, config, lambda recording: reader(count_label_frames, recording))
    with alone_in(out):
        n_left, n_all = len(plan.jobs), len(plan.jobs) + len(plan.finished) + len(plan.problems)
        print(
            f"preset {config.preset}, {runner} runner: {n_all} recordings, {n_left} to build, "
            f"{len(plan.finished)} finished, {len(plan.problems)} left out",
            file=sys.stderr,
        )
        failures: list[Problem] = []
        outcomes = _run_sequential(plan) if runner == "sequential" else _run_on_ray(plan)
        with closing(outcomes), StreamProgress("building", n_left, "recordings") as progress:
            for outcome in outcomes:
                if outcome.ends_run:
                    raise UserError(outcome.message)
                if outcome.reason:
                    failures.append(Problem(outcome.recording, outcome.reason, outcome.message))
                print(_line(outcome), file=sys.stderr, flush=True)
                progress.advance(1, failed=bool(outcome.reason))
        return write_report(plan, failures)


def _run_sequential(plan: DatasetPlan) -> Iterator[Outcome]:
    with SafeReader(plan.config.recording_deadline_s) as reader:
        for job in plan.jobs:
            yield build_in_child(reader, job)


def _run_on_ray(plan: DatasetPlan) -> Iterator[Outcome]:
    if not plan.jobs:
        return
    jobs = {job.recording.name: job for job in plan.jobs}
    arguments = (jobs, plan.config.recording_deadline_s)
    for batch in stream_on_ray(DatasetBuilder, arguments, "recording", list(jobs), plan.config.workers):
        for text in batch["outcome"]:
            yield Outcome(**json.loads(text))


def _line(outcome: Outcome) -> str:
    if outcome.reason:
        return outcome.message
    return f"{outcome.recording}: {outcome.n_kept} clips of {outcome.n_candidates} candidates"


def print_report(console: Console, content: dict[str, Any], out: Path) -> None:
    """Candidates by fate and split, what was left out, and the sum."""
    columns = {**content["splits"], "all": content["candidates"]}
    table = Table("candidates", *columns)
    for fate in FATES:
        table.add_row(fate.replace("_", " "), *(str(counts[fate]) for counts in columns.values()))
    console.print(table)
    for kind in ("skipped", "failed", "notes"):
        lines = [line if isinstance(line, str) else line["message"] for line in content[kind]]
        for line in lines[:_LISTED]:
            console.print(f"{kind.removesuffix('s')}: {line}", soft_wrap=True, markup=False, highlight=False)
    ratio = content["speech_to_instrument"]
    speech = f", speech to instrument {ratio:.2f} : 1" if ratio is not None else ""
    if not content["n_clips"]:
        console.print("no clip obeys all rules; the table shows which rule took how many", style="bold")
    console.print(
        f"{content['n_clips']} clips, {content['hours']:.2f} h{speech}; {len(content['failed'])} recordings failed; "
        f"everything is in {out}",
        soft_wrap=True,
    )


def build_dataset(
    recordings: Annotated[Path, typer.Argument(help="STARSS23: holds foa_dev, video_dev and metadata_dev.")],
    out: Annotated[Path, typer.Argument(help="Folder for the dataset.")],
    preset: Annotated[str, typer.Option(help="savgbench, or dcase2025 for stereo SELD.")] = "savgbench",
    config: Annotated[Path | None, typer.Option(help="YAML file with keys to lay over the preset.")] = None,
    runner: Annotated[Runner, typer.Option(help="ray, or sequential without it.")] = "ray",
) -> None:
    """Build a dataset of perspective, stereo clips from 360° recordings."""
    with resumable("finished recordings are kept"):
        content = run_build(recordings, out, load_dataset_config(preset, config), runner)
    print_report(Console(), content, out)
    if content["failed"]:
        raise typer.Exit(3)


if __name__ == "__main__":
    run_command(build_dataset)
