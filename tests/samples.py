"""The real clips beside the repository; tests that need them skip, saying so, where they are absent."""

from pathlib import Path

import pytest

CLIPS = Path(__file__).parents[2] / "shared" / "clips"


def clip_folder(name: str) -> Path:
    folder = CLIPS / name
    if not folder.is_dir():
        pytest.skip(f"the real clips ../shared/clips/{name} are not beside the repository")
    return folder


def joint_sample(name: str) -> Path:
    return clip_folder("savgbench_joint_baseline") / name
