"""A configuration small enough for tests: four frames of 16 pixels, a tenth of a second of sound."""

from typing import Any

import yaml

from savg_ray.sampling.config import SamplingConfig, load_sampling_config

TINY: dict[str, Any] = {
    "base": {
        "network": {
            "num_channels": 32,
            "channel_mult": [1, 2],
            "num_res_blocks": 1,
            "cross_attention_resolutions": [2],
            "cross_attention_windows": [2],
            "video_attention_resolutions": [2],
            "num_head_channels": 16,
        },
        "n_frames": 4,
        "height_px": 16,
        "width_px": 16,
        "n_samples": 1600,
        "solver": "multistep",
        "steps": 3,
    },
    "super_resolution": {
        "network": {"num_channels": 32, "channel_mult": [1, 2], "num_res_blocks": 1, "attention_resolutions": [2]},
        "respacing": "ddim2",
    },
    "conditional": {"respacing": 2},
}


ADAPTIVE = {"solver": "adaptive", "steps": None}


def write_tiny(folder, **base):
    """The tiny configuration as a YAML file to lay over a preset."""
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump({**TINY, "base": {**TINY["base"], **base}}))
    return path


def tiny_config(folder, preset="savg", **base) -> SamplingConfig:
    return load_sampling_config(preset, write_tiny(folder, **base))
