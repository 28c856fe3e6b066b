"""What a clip is called, and what it was made from."""

import hashlib
import json

from savg_ray.weights.choose import ResolvedWeights

# Raise when the same weights, configuration and seed give another clip.
SAMPLING_VERSION = 2


def clip_id(seed: int, index: int) -> str:
    """The name of a clip, which is that of its file."""
    return f"seed{seed}_{index:06d}"


def sampling_identity(content: dict, weights: dict[str, ResolvedWeights], precisions: dict[str, str]) -> str:
    """A digest of everything besides seed and index that decides what a clip is.

    Args:
        content: the configuration's keys that decide content (or those of another generator).
        weights: by network name.
        precisions: by network name, as resolved for the device.
    """
    sums = {name: one.sha256 or one.source for name, one in weights.items()}
    return _digest([SAMPLING_VERSION, content, sums, precisions])


def clip_identity(sampling: str, seed: int, index: int) -> str:
    """A digest of everything that decides one clip: hash(weights, configuration, seed, index)."""
    return _digest([sampling, seed, index])


def given_clip_identity(sampling: str, seed: int, sha256: str) -> str:
    """The same for a clip that is made for another one, whose file has this digest."""
    return _digest([sampling, seed, sha256])


def _digest(value: list) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]
