"""The two diffusion networks at their official shapes on a CPU, alone or in turns with the official code.

    python -m benchmarks.unets --threads 1
    python -m benchmarks.unets --official path/to/SAVGBench/joint_method --rounds 3

The folder given as ``--official`` holds the package ``mm_diffusion``, with its own requirements installed. Standard
output carries one JSON line a network. Weights are filled; one forward takes some 10 to 60 s on a core. Ours runs in
memory that is kept, as in all our processes, the official code in memory as it is without that; with ``--both-keep``
both keep it.
"""

import argparse
import ctypes
import importlib
import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from savg_ray.networks.mm_unet import MMUNet
from savg_ray.networks.sr_unet import SRUNet
from savg_ray.networks.unet_config import MMUNetConfig, SRUNetConfig
from savg_ray.process import keep_freed_memory
from savg_ray.weights.fill import fill_deterministic

Run = Callable[[], tuple[Tensor, ...]]

# Useful arithmetic of one official forward (2 FLOP a multiply-add), whoever computes it.
GFLOP = {"mm_unet": 2109.4, "sr_unet": 1263.3}


def official_mm_unet() -> nn.Module:
    """The official multimodal UNet; its folder must be on the path."""
    return importlib.import_module("mm_diffusion.multimodal_unet").MultimodalUNet(
        video_size=(20, 3, 64, 64),
        audio_size=(2, 80000),
        model_channels=128,
        video_out_channels=3,
        audio_out_channels=2,
        num_res_blocks=2,
        cross_attention_resolutions=[2, 4, 8],
        cross_attention_windows=[1, 4, 8],
        cross_attention_shift=True,
        video_attention_resolutions=[2, 4, 8],
        audio_attention_resolutions=[-1],
        num_heads=4,
        num_head_channels=64,
        use_scale_shift_norm=True,
        resblock_updown=True,
    )


def official_sr_unet() -> nn.Module:
    """The official super-resolution UNet, likewise."""
    return importlib.import_module("mm_diffusion.image_unet").ImageSuperResModel(
        256,
        3,
        model_channels=192,
        out_channels=6,
        num_res_blocks=2,
        attention_resolutions=(8, 16, 32),
        channel_mult=(1, 1, 2, 2, 4, 4),
        num_heads=4,
        use_scale_shift_norm=True,
        resblock_updown=True,
    )


def mm_unet(official: bool) -> tuple[Run, Run | None]:
    """Our forward of one clip, and the official one with the same weights, input and shifts."""
    ours = fill_deterministic(MMUNet(MMUNetConfig.official()).eval(), 11)
    generator = torch.Generator().manual_seed(0)
    video = torch.randn(1, 20, 3, 64, 64, generator=generator)
    audio = torch.randn(1, 2, 80000, generator=generator)
    labels = torch.tensor([500])

    def run_ours() -> tuple[Tensor, ...]:
        ours.shift_generator.seed(1010)
        return ours(video, audio, labels)

    if not official:
        return run_ours, None
    theirs = _with_weights(official_mm_unet(), ours)

    def run_theirs() -> tuple[Tensor, ...]:
        random.seed(1010)
        return theirs(video, audio, labels)

    return run_ours, run_theirs


def sr_unet(official: bool) -> tuple[Run, Run | None]:
    """Our forward of one frame, and the official one with the same weights and input."""
    ours = fill_deterministic(SRUNet(SRUNetConfig.official()).eval(), 21)
    generator = torch.Generator().manual_seed(0)
    x, low_res = (torch.randn(1, 3, side, side, generator=generator) for side in (256, 64))
    labels = torch.tensor([528])
    if not official:
        return lambda: (ours(x, labels, low_res),), None
    theirs = _with_weights(official_sr_unet(), ours)
    return lambda: (ours(x, labels, low_res),), lambda: (theirs(x, labels, low_res),)


NETWORKS = {"mm_unet": mm_unet, "sr_unet": sr_unet}


def _return_freed_memory() -> None:
    """What glibc does by itself, once large blocks were freed: up to 32 MiB are kept in blocks, 64 MiB in all."""
    libc = ctypes.CDLL(None)
    libc.mallopt(-3, 32 << 20)
    libc.mallopt(-1, 64 << 20)


def record(name: str, official: bool, rounds: int, both_keep: bool) -> dict[str, Any]:
    """Medians over forwards, ours and the official ones in turns, so that a busy machine slows both alike."""
    ours, theirs = NETWORKS[name](official)
    our_seconds: list[tuple[float, float]] = []
    their_seconds: list[tuple[float, float]] = []
    difference = None
    with torch.no_grad():
        for _ in range(rounds):
            keep_freed_memory()
            result = _timed(our_seconds, ours)
            if theirs is not None:
                if not both_keep:
                    _return_freed_memory()
                reference = _timed(their_seconds, theirs)
                difference = max(_difference(x, y) for x, y in zip(result, reference, strict=True))
    wall_s, cpu_s = _medians(our_seconds)
    line = {
        "network": name,
        "threads": torch.get_num_threads(),
        "ours_ms": round(wall_s * 1000),
        "ours_cpu_s": round(cpu_s, 2),
        "ours_gflop_s": round(GFLOP[name] / wall_s, 1),
    }
    if theirs is not None:
        official_wall_s, official_cpu_s = _medians(their_seconds)
        line |= {
            "official_ms": round(official_wall_s * 1000),
            "official_cpu_s": round(official_cpu_s, 2),
            "official_over_ours": round(official_wall_s / wall_s, 2),
            "official_over_ours_cpu": round(official_cpu_s / cpu_s, 2),
            "largest_difference": float(f"{difference:.2g}"),
        }
    return line | {"n": rounds}


def _medians(seconds: list[tuple[float, float]]) -> tuple[float, float]:
    """Wall and CPU; on a busy machine, the CPU's say more."""
    wall, cpu = zip(*seconds, strict=True)
    return median(wall), median(cpu)


def _with_weights(network: nn.Module, ours: nn.Module) -> nn.Module:
    network.load_state_dict(ours.state_dict(), strict=True)
    return network.eval()


def _timed(seconds: list[tuple[float, float]], run: Run) -> tuple[Tensor, ...]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = run()
    seconds.append((time.perf_counter() - wall, time.process_time() - cpu))
    return result


def _difference(x: Tensor, y: Tensor) -> float:
    return float((x - y).abs().max() / y.abs().max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=[*NETWORKS], action="append", help="both when left out")
    parser.add_argument("--official", type=Path, help="folder that holds the official package mm_diffusion")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--both-keep", action="store_true", help="the official code keeps its memory too")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.official is not None:
        sys.path.insert(0, str(arguments.official))
    for name in arguments.network or NETWORKS:
        line = record(name, arguments.official is not None, arguments.rounds, arguments.both_keep)
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
