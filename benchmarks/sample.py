"""What sampling a clip costs, stage by stage: arithmetic, seconds, and the share of the processor's matmul peak.

    python -m benchmarks.sample --preset laptop
    python -m benchmarks.sample --preset savg --device cuda --clips 16
    python -m benchmarks.sample --preset fast --device cuda --clips 16 --against savg
    python -m benchmarks.sample --preset savg --device cuda --clips 16 --switch compile --switch cuda_graphs

Weights are filled. Standard output carries one JSON line a record. ``--against`` also samples the same seeds under
another preset, ``--switch`` with a key of the configuration switched on (all that were named so far), and tells how
far apart the clips are.
"""

import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import typer
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.difference import difference
from jobs.command import run_command
from jobs.runner import choose_runner
from jobs.sample import clip_batches, make_request, plan_sampling
from savg_ray.generation.chain import resolved
from savg_ray.networks.mm_unet import MMUNet
from savg_ray.networks.sr_unet import SRUNet
from savg_ray.process import set_up_process
from savg_ray.sampling.config import SamplingConfig
from savg_ray.sampling.upsampler import SCALE, upsampled_rows

Switch = Literal["compile", "cuda_graphs"]

_MATMUL = {"cpu": 2048, "cuda": 8192}


def sample(
    preset: Annotated[str, typer.Option(help="A preset of sampling.")] = "laptop",
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where the networks go.")] = "auto",
    clips: Annotated[int, typer.Option(min=1, help="Clips to make; those of the first batch warm up.")] = 3,
    config: Annotated[Path | None, typer.Option(help="YAML file with keys to lay over the preset.")] = None,
    against: Annotated[str | None, typer.Option(help="Another preset, to compare the same seeds with.")] = None,
    switch: Annotated[list[Switch] | None, typer.Option(help="A key to switch on; may be repeated.")] = None,
) -> None:
    """Measure sampling without Ray on filled weights."""
    with tempfile.TemporaryDirectory() as folder:
        made = _measure(preset, device, clips, config, Path(folder) / "a")
        if against is not None:
            other = _measure(against, device, clips, config, Path(folder) / "b")
            _show({"record": "difference", "preset": preset, "against": against, **difference(made, other)})
        on: list[Switch] = []
        for key in switch or ():
            on.append(key)
            other = _measure(preset, device, clips, config, Path(folder) / key, on)
            _show({"record": "difference", "preset": preset, "switched_on": on, **difference(made, other)})


def _measure(preset: str, wanted: str, clips: int, config: Path | None, out: Path, on: Sequence[Switch] = ()) -> Path:
    set_up_process()
    runner = choose_runner("sequential", wanted)
    device = runner.device
    request = make_request(clips, preset, 0, out, config, "filled", None, None, None)
    request = replace(request, config=switched_on(request.config, on))
    work = plan_sampling(request, runner)
    batches = clip_batches(request, work)
    settings = request.config
    gflop = gflop_per_call(settings)
    precisions = {"base": resolved(settings.base.precision, device)}
    if settings.super_resolution is not None:
        precisions["super_resolution"] = resolved(settings.super_resolution.precision, device)
    peak = {precision: matmul_tflop_s(device, precision) for precision in set(precisions.values())}
    for stage in work.stages:
        stage.load(device)
    seconds = dict.fromkeys((stage.name for stage in work.stages), 0.0)
    measured, n_calls = 0, 0
    for number, batch in enumerate(batches):
        counts = number > 0 or len(batches) == 1
        for stage in work.stages:
            started = time.perf_counter()
            batch = stage(batch)
            if device == "cuda":
                torch.cuda.synchronize()
            seconds[stage.name] += counts * (time.perf_counter() - started)
        work.sampling.take(batch)
        measured += counts * len(batch["id"])
        n_calls += counts * int(batch["nfe"].sum())
    common = {"preset": preset, "switched_on": list(on), "device": device, "clips": measured}
    calls = {"base": n_calls / measured, "super_resolution": upsampling_calls(settings)}
    for name, spent_s in seconds.items():
        record: dict[str, Any] = {"record": "stage", "stage": name, **common}
        record |= {"s_per_clip": spent_s / measured, "clips_per_s": measured / spent_s}
        if name in gflop:
            tflop = gflop[name] * calls[name] / 1000
            rate = tflop * measured / spent_s
            share = rate / peak[precisions[name]]
            record |= {"precision": precisions[name], "network_calls_per_clip": calls[name]}
            record |= {"tflop_per_clip": tflop, "tflop_s": rate, "share_of_matmul_peak": share}
        _show(record)
    _show({"record": "total", **common, "clips_per_s": measured / sum(seconds.values()), "matmul_peak_tflop_s": peak})
    return out / "clips"


def switched_on(config: SamplingConfig, keys: Sequence[Switch]) -> SamplingConfig:
    """The same with some keys of both networks switched on."""
    sections = {"base": config.base, "super_resolution": config.super_resolution}
    on = dict.fromkeys(keys, True)
    changed = {name: one.model_copy(update=on) for name, one in sections.items() if one is not None}
    return config.model_copy(update=changed)


def gflop_per_call(config: SamplingConfig) -> dict[str, float]:
    """Arithmetic (2 a multiply-add) of one call of each network: for a clip, and for a frame."""
    base, sr = config.base, config.super_resolution
    counted = {}
    with torch.device("meta"), torch.inference_mode():
        network = MMUNet(base.shape).eval()
        video = torch.empty(1, base.n_frames, base.n_colours, base.height_px, base.width_px)
        audio, labels = torch.empty(1, base.n_channels, base.n_samples), torch.zeros(1, dtype=torch.long)
        shifts = torch.zeros(1, len(network.shift_ranges), dtype=torch.long)
        with FlopCounterMode(display=False) as counter:
            network(video, audio, labels, shifts)
        counted["base"] = counter.get_total_flops() / 1e9
        if sr is not None:
            rows = upsampled_rows(sr, base.picture_height_px, base.width_px)
            low_res = torch.empty(1, 3, rows.stop - rows.start, base.width_px)
            x = torch.empty(1, 3, SCALE * low_res.shape[2], SCALE * base.width_px)
            with FlopCounterMode(display=False) as counter:
                SRUNet(sr.shape).eval()(x, labels, low_res)
            counted["super_resolution"] = counter.get_total_flops() / 1e9
    return counted


def upsampling_calls(config: SamplingConfig) -> int:
    """Calls of the super-resolution network for a clip."""
    sr = config.super_resolution
    return 0 if sr is None else config.base.n_frames * int(sr.respacing.removeprefix("ddim"))


def matmul_tflop_s(device: str, precision: str) -> float:
    """The best rate of a large matrix product: the peak that shares are taken of."""
    n, dtype = _MATMUL[device], getattr(torch, precision)
    a, b = torch.randn(n, n, device=device).to(dtype), torch.randn(n, n, device=device).to(dtype)
    best_s = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        a @ b
        if device == "cuda":
            torch.cuda.synchronize()
        best_s = min(best_s, time.perf_counter() - started)
    return 2 * n**3 / best_s / 1e12


def _show(record: dict[str, Any]) -> None:
    print(json.dumps(record), flush=True)


if __name__ == "__main__":
    run_command(sample)
