import math

import pytest
import torch

from savg_ray.errors import UserError
from savg_ray.media.reader import probe_clip
from savg_ray.training import sampled_clips
from savg_ray.training.tasks.joint import make_task
from savg_ray.weights.choose import WeightsChoice
from savg_ray.weights.fill import fill_deterministic
from tests.training.tasks.diffusion_clips import make_data, write_clip
from tests.training.tasks.test_joint import NETWORK, SETTINGS

FORM = {"n_frames": 20, "n_samples": 80000}
SAMPLES = {"clips": 2, "sampling": "fast", "evaluation": "laptop", "reference_clips": 2}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = make_data(tmp_path_factory.mktemp("built"))
    for i, side in enumerate(("left", "right", "left", "right")):
        write_clip(root, "eval", f"held{i}", side, **FORM)
    return root


@pytest.fixture
def filled_weights(monkeypatch):
    monkeypatch.setattr(sampled_clips, "WeightsChoice", lambda mode, store: WeightsChoice("filled", store))


@pytest.mark.slow
def test_validation_samples_clips_and_scores_them(data, filled_weights, tmp_path):
    settings = {**SETTINGS, **FORM, "network": {**NETWORK, "audio_patch": 160, "frame_patch": 4}}
    task = make_task({**settings, "validation_clips": 1, "samples": SAMPLES}, data)
    network = fill_deterministic(task.build(), 1).eval()
    n_threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        found = task.validate(network, tmp_path / "step-1")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(n_threads)
    assert {"held_out_loss", "fvd_mini", "kvd_mini", "fad_mini"} <= set(found)
    assert found["failed_clips"] == 0 and all(map(math.isfinite, found.values()))
    clips = sorted((tmp_path / "step-1" / "clips").glob("*.mp4"))
    assert len(clips) == 2
    assert (probe_clip(clips[0]).n_frames, probe_clip(clips[0]).height_px) == (20, 64)
    assert list((tmp_path / "features").glob("*.parquet"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sampling": "slow"}, "no preset 'slow'"),
        ({"evaluation": "savgbench-official"}, "scores windows of whole folders"),
        ({"clips": 1}, "key 'samples.clips'"),
    ],
)
def test_bad_samples_are_refused(data, filled_weights, changes, message):
    with pytest.raises(UserError, match=message):
        make_task({**SETTINGS, "samples": {**SAMPLES, **changes}}, data)


def test_weights_that_are_not_there_are_missed_at_once(data, monkeypatch, tmp_path):
    monkeypatch.setattr(sampled_clips, "default_root", lambda: tmp_path)
    with pytest.raises(UserError, match="are not in"):
        make_task({**SETTINGS, "samples": {**SAMPLES, "evaluation": "savg"}}, data)
