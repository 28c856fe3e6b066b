"""What an evaluation costs, stage by stage, against the reference, a script written by hand, and ideal streaming."""

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.precision import bfloat16_effect
from benchmarks.ray_overhead import ray_overhead
from benchmarks.scratch import Scratch
from benchmarks.side_by_side import side_by_side
from benchmarks.stage_costs import REFERENCE_UNUSED_CPU_S, WHOLE_CLIP_SOUND, stage_costs
from jobs.command import run_command
from savg_ray.errors import UserError

_TABLE_WIDTH = 120
_NOTES = {
    "stage_costs": (
        "CPU seconds on one thread: medians per clip, under savgbench-official features per window. In preset savg "
        f"AudioCLIP hears the whole clip, {WHOLE_CLIP_SOUND} times the arithmetic of the reference's window. The "
        f"reference spends {REFERENCE_UNUSED_CPU_S} s more per window on an image tower whose result nobody reads. "
        "Filled weights find some 2600 boxes a frame, which suppression must sort out; trained ones find few."
    ),
    "side_by_side": "The same networks and files, in turns; medians.",
    "ray_overhead": (
        "steady: between the first and the last tenth of the clips. steady_overhead is the share of the cores' time "
        "that was not work of a stage: steady_idle_share, when nothing ran, and steady_other_cores, cores' worth of "
        "Ray (a constant, whatever the number of cores) and of other programs on this machine."
    ),
    "bfloat16": "Two sequential runs of preset savg on the same clips; with filled weights the values mean nothing.",
}


def evaluate(
    clips: Annotated[int, typer.Option(min=2, help="Clips in each folder.")] = 8,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the JSON lines to this file.")] = None,
    part: Annotated[
        Literal["all", "stage_costs", "side_by_side", "ray_overhead"], typer.Option(help="Measure only this.")
    ] = "all",
    ray_clips: Annotated[int, typer.Option(help="Clips of the stream on Ray; the target is set at 64.")] = 16,
    precision: Annotated[
        Literal["float32", "bfloat16"], typer.Option(help="bfloat16: measure its effect as well.")
    ] = "float32",
) -> None:
    """Measure an evaluation on walker clips with filled weights, on the CPU."""
    records: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        scratch = Scratch(Path(folder) / "clips")
        scratch.make_clips(clips, clips)
        if part in ("all", "stage_costs"):
            for preset in ("savg", "savgbench-official"):
                records += _show(stage_costs(scratch, preset, n_windows=clips))
        if part in ("all", "side_by_side"):
            records += _show(side_by_side(scratch))
        if part in ("all", "ray_overhead"):
            # A stream of generated clips; a plan wants at least one reference clip.
            for_ray = Scratch(Path(folder) / "ray")
            for_ray.make_clips(ray_clips, 1)
            records += _show(ray_overhead(for_ray, ray_clips))
        if precision == "bfloat16":
            records += _show(bfloat16_effect(scratch))
    if json_file is not None:
        _write(json_file, records)


def _show(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """JSON lines for programs on standard output, tables for people on standard error."""
    for record in records:
        print(json.dumps(record), flush=True)
    terminal = Console(stderr=True)
    console = Console(stderr=True, width=max(terminal.width, _TABLE_WIDTH))
    for columns in dict.fromkeys(tuple(record) for record in records):
        rows = [record for record in records if tuple(record) == columns]
        title = " ".join(str(rows[0][key]) for key in ("part", "preset") if key in rows[0])
        if len(rows) == 1:
            table = Table("measure", "value", title=title)
            for key in columns:
                table.add_row(key, str(rows[0][key]))
        else:
            shown = [key for key in columns if key not in ("part", "preset")]
            table = Table(*shown, title=title)
            for row in rows:
                table.add_row(*(str(row[key]) for key in shown))
        console.print(table)
    console.print(_NOTES[records[0]["part"]])
    return records


def _write(path: Path, records: list[dict[str, Any]]) -> None:
    try:
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    except OSError as error:
        raise UserError(f"The file {path} cannot be written ({error.strerror}); name another with --json.") from error


if __name__ == "__main__":
    run_command(evaluate)
