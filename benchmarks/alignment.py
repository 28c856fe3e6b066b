"""What Spatial AV-Align says of clips, of the same with left and right swapped, and with the sound of other clips.

    python -m benchmarks.alignment dataset/video_eval --clips 200
    python -m benchmarks.alignment results/clips

The networks of an evaluation preset see and hear. Standard output carries one JSON line a control, each with a 95 %
interval over clips, and one with the share of frames in which a person is seen.
"""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from jobs.command import run_command
from jobs.progress import StreamProgress
from savg_ray.config import load_config
from savg_ray.errors import UserError
from savg_ray.evaluation.chain import clip_stages, networks
from savg_ray.media.reader import read_clip
from savg_ray.metrics.intervals import bootstrap_ratio
from savg_ray.metrics.spatial_av_align import spatial_av_align
from savg_ray.process import set_up_process
from savg_ray.protocols import clip_form
from savg_ray.stages.network_stage import NetworkStage
from savg_ray.training.clip_dataset import spread
from savg_ray.weights.choose import WeightsChoice
from savg_ray.weights.store import WeightStore


def alignment(
    folder: Annotated[Path, typer.Argument(help="Folder of mp4 files.", metavar="<path>")],
    clips: Annotated[int, typer.Option(min=2, help="How many of them, spread over all.")] = 200,
    preset: Annotated[str, typer.Option(help="A preset of evaluation.")] = "laptop",
) -> None:
    """Measure what the score distinguishes."""
    set_up_process()
    detector, ears = _loaded(preset)
    paths = sorted(folder.glob("[!.]*.mp4"))
    if len(paths) < 2:
        raise UserError(f"{folder} holds {len(paths)} mp4 files; name a folder of at least two.")
    paths = spread(paths, clips)
    n = len(paths)
    seen, heard, swapped, shares = [], [], [], []
    with StreamProgress("alignment", n) as progress:
        for path in paths:
            form = clip_form.whole(read_clip(path))
            [boxes] = detector.run_together([{"frames": form.frames, "n_frames": len(form.frames)}])
            pcm = form.pcm_16k
            plain, other = (
                ears.run_together([{"pcm_16k": sound, "n_16k": pcm.shape[1]}])[0] for sound in (pcm, pcm[::-1])
            )
            seen.append(boxes)
            heard.append(plain)
            swapped.append(other)
            shares.append(len(np.unique(boxes[:, 0])) / len(form.frames))
            progress.advance(1, 0)
    _show("as it is", seen, heard)
    _show("left and right swapped", seen, swapped)
    _show("sound of another clip", seen, [heard[(i + n // 2) % n] for i in range(n)])
    _print("frames with a person", np.array(shares), np.ones(n))


@torch.inference_mode()
def _loaded(preset: str) -> tuple[NetworkStage, NetworkStage]:
    config = load_config(preset)
    names = {stage: networks(config)[stage] for stage in ("detections", "seld")}
    choice = WeightsChoice(config.weights, WeightStore())
    weights = {name: choice.resolve(name) if name in names.values() else None for name in networks(config).values()}
    stages = {stage.name: stage for stage in clip_stages(config, weights)}
    for name in names:
        stages[name].load("cpu")
    return stages["detections"], stages["seld"]


def _show(what: str, seen: list[np.ndarray], heard: list[np.ndarray]) -> None:
    counts = [spatial_av_align(events, boxes, clamp=True) for events, boxes in zip(heard, seen, strict=True)]
    _print(what, np.array([one.tp for one in counts]), np.array([one.tp + one.fn for one in counts]))


def _print(what: str, top: np.ndarray, bottom: np.ndarray) -> None:
    value = float(top.sum() / bottom.sum()) if bottom.sum() else None
    record = {"record": what, "clips": len(top), "value": value, "ci95": bootstrap_ratio(top, bottom)}
    print(json.dumps(record), flush=True)


if __name__ == "__main__":
    run_command(alignment)
