import pytest
import torch
from torch import nn

from savg_ray.config import load_config
from savg_ray.evaluation.chain import clip_stages, networks, stage_identity, window_stages
from savg_ray.networks import video_mini
from savg_ray.stages.network_stage import NetworkStage
from savg_ray.weights.choose import WeightsChoice
from savg_ray.weights.fill import filling_sha256
from savg_ray.weights.store import WeightStore

STAGES = ("detections", "video_features", "seld", "audio_features")


@pytest.fixture
def identities(tmp_path):
    """What identifies the results of each stage with a network."""

    def found(preset, mode):
        config, choice = load_config(preset), WeightsChoice(mode, WeightStore(tmp_path))
        weights = {name: choice.resolve(name) for name in networks(config).values()}
        return {stage: stage_identity(stage, config, weights, "cpu") for stage in STAGES}

    return found


class WiderLayer(nn.Module):
    """One tensor of another shape than in `VideoMini`, and the same names."""

    def __init__(self):
        super().__init__()
        state = ORIGINAL().state_dict()
        self.widened = next(key for key, tensor in state.items() if tensor.ndim == 1)
        state[self.widened] = torch.zeros(len(state[self.widened]) + 1)
        self.state = state

    def state_dict(self):
        return self.state


ORIGINAL = video_mini.VideoMini


def test_filled_networks_are_known_by_their_shapes(identities, monkeypatch):
    before = identities("laptop", "filled")
    monkeypatch.setattr(video_mini, "VideoMini", WiderLayer)
    after = identities("laptop", "filled")
    assert {stage for stage in STAGES if before[stage] != after[stage]} == {"video_features"}
    assert {key for key, value in before["video_features"].items() if after["video_features"][key] != value} == {
        "weights"
    }
    assert len({one["weights"] for one in before.values()}) == len(STAGES)


def test_weights_from_a_file_are_known_by_its_sum(identities, monkeypatch):
    before = identities("laptop", "bundled")
    assert all(len(one["weights"]) == 64 for one in before.values())
    monkeypatch.setattr(video_mini, "VideoMini", WiderLayer)
    assert identities("laptop", "bundled") == before


@pytest.mark.parametrize("preset", ["laptop", "savg", "savgbench-official"])
def test_shapes_without_memory_are_those_of_the_network_that_scores(identities, preset, tmp_path):
    config, choice = load_config(preset), WeightsChoice("filled", WeightStore(tmp_path))
    weights = {name: choice.resolve(name) for name in networks(config).values()}
    stages = [*clip_stages(config, weights), *(window_stages(config, weights) if config.official else [])]
    known = identities(preset, "filled")
    for stage in stages:
        if isinstance(stage, NetworkStage):
            assert known[stage.name]["weights"] == f"{stage.weights.source} {filling_sha256(stage.build())}"
