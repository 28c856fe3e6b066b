"""One real step of optimisation of both official diffusion networks, at full size, on a CPU."""

import resource

import numpy as np
import pytest
import torch

from savg_ray.training.config import load_training_config
from savg_ray.training.draws import Draw
from savg_ray.training.examples import Share, stacked
from savg_ray.training.learner import Learner
from savg_ray.training.tasks import make_task
from tests.training.tasks.diffusion_clips import make_data, write_clip

pytestmark = pytest.mark.slow

LARGEST_GB = 16


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = make_data(tmp_path_factory.mktemp("built"))
    write_clip(root, "dev", "clip0", "left", n_frames=20, n_samples=80000)
    return root


@pytest.mark.parametrize("preset", ["joint", "sr"])
def test_an_official_network_takes_a_step(data, preset):
    config = load_training_config(preset).model_copy(
        update={"batch_size": 1, "micro_batch": None, "precision": "float32", "steps": 1}
    )
    task = make_task(config, data)
    torch.manual_seed(0)
    network = task.build()
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    learner = Learner(task, network, config, Share(), 1)
    draw = Draw(0, 0, 0)
    values = learner.take_step(iter([stacked([{**task.example(0, draw), "draw": draw.column()}])]))
    # The last layer starts at zero: all that is left is the noise itself, of each modality.
    parts = ("video", "audio") if preset == "joint" else ("mse",)
    for name in parts:
        assert values[name] == pytest.approx(1, abs=0.02)
    assert np.isfinite(values["gradient_norm"]) and values["gradient_norm"] > 0
    moved = [key for key, tensor in network.state_dict().items() if not torch.equal(tensor, before[key])]
    assert any("out" in key for key in moved)
    used_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{preset}: {used_gb:.1f} GB")
    assert used_gb < LARGEST_GB
