"""What sampling a clip costs, stage by stage: arithmetic, seconds, and the share of the processor's matmul peak.

    python -m benchmarks.sample --preset laptop
    python -m benchmarks.sample --preset savg --device cuda --clips 16
    python -m benchmarks.sample --preset fast --device cuda --clips 16 --against savg
    python -m benchmarks.sample --preset savg --device cuda --clips 16 --compiled

Weights are filled. Standard output carries one JSON line a record. ``--against`` also samples the same seeds under
another preset, ``--compiled`` with compiled blocks, and tells how far apart the clips are.
"""

import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import typer
from torch.utils.flop_counter import FlopCounterMode

from jobs.command import run_command
from jobs.runner import choose_runner
from jobs.sample import clip_batches, make_request, plan_sampling
from savg_ray.generation.chain import resolved
from savg_ray.media.reader import read_clip
from savg_ray.networks.mm_unet import MMUNet
from savg_ray.networks.sr_unet import SRUNet
from savg_ray.sampling.config import SamplingConfig
from savg_ray.sampling.upsampler import SCALE, upsampled_rows
from savg_ray.stages.sequential import use_one_thread

_MATMUL = {"cpu": 2048, "cuda": 8192}


def sample(
    preset: Annotated[str, typer.Option(help="A preset of sampling.")] = "laptop",
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where the networks go.")] = "auto",
    clips: Annotated[int, typer.Option(min=1, help="Clips to make; those of the first batch warm up.")] = 3,
    config: Annotated[Path | None, typer.Option(help="YAML file with keys to lay over the preset.")] = None,
    against: Annotated[str | None, typer.Option(help="Another preset, to compare the same seeds with.")] = None,
    compiled: Annotated[bool, typer.Option("--compiled", help="Compare with compiled blocks.")] = False,
) -> None:
    """Measure sampling without Ray on filled weights."""
    with tempfile.TemporaryDirectory() as folder:
        made = _measure(preset, device, clips, config, Path(folder) / "a")
        if against is not None:
            other = _measure(against, device, clips, config, Path(folder) / "b")
            _show({"record": "difference", "preset": preset, "against": against, **_difference(made, other)})
        if compiled:
            other = _measure(preset, device, clips, config, Path(folder) / "c", compiled=True)
            _show({"record": "difference", "preset": preset, "against": "compiled", **_difference(made, other)})


def _measure(preset: str, wanted: str, clips: int, config: Path | None, out: Path, *, compiled: bool = False) -> Path:
    use_one_thread()
    runner = choose_runner("sequential", wanted)
    device = runner.device
    request = make_request(clips, preset, 0, out, config, "filled", None, None, None)
    if compiled:
        request = replace(request, config=with_compiled_blocks(request.config))
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
    common = {"preset": preset, "compiled": compiled, "device": device, "clips": measured}
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
    return out


def with_compiled_blocks(config: SamplingConfig) -> SamplingConfig:
    """The same with ``compile: true`` for its networks."""
    sections = {"base": config.base, "super_resolution": config.super_resolution}
    on = {name: one.model_copy(update={"compile": True}) for name, one in sections.items() if one is not None}
    return config.model_copy(update=on)


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


def _difference(made: Path, other: Path) -> dict[str, float]:
    """Mean PSNR of pictures (whole, and without what is black in the first), and correlation of sound."""
    pictures, content, sound = [], [], []
    for path in sorted((made / "clips").glob("*.mp4")):
        a, b = read_clip(path), read_clip(other / "clips" / path.name)
        difference = (a.frames.astype(np.float64) - b.frames) ** 2
        rows = a.frames.mean(axis=(0, 2, 3)) > 2
        pictures.append(10 * np.log10(255**2 / difference.mean()))
        content.append(10 * np.log10(255**2 / difference[:, rows].mean()))
        sound.append(np.corrcoef(a.waveform.ravel(), b.waveform.ravel())[0, 1])
    return {
        "psnr_db": float(np.mean(pictures)),
        "psnr_of_content_db": float(np.mean(content)),
        "correlation_of_sound": float(np.mean(sound)),
    }


def _show(record: dict[str, Any]) -> None:
    print(json.dumps(record), flush=True)


if __name__ == "__main__":
    run_command(sample)
