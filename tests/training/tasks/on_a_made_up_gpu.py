"""Losses of a task on a GPU that computes nothing: no step mixes tensors of two devices."""

import torch

from savg_ray.training.config import AverageConfig, load_training_config
from savg_ray.training.draws import Draw
from savg_ray.training.examples import Share, stacked
from savg_ray.training.learner import Learner
from savg_ray.training.task import Task
from tests.made_up_gpu import made_up_gpu


def losses_on_a_made_up_gpu(task: Task) -> dict[str, torch.Tensor]:
    """The values of two examples in bfloat16, as a worker on a GPU reckons them."""
    draws = [Draw(3, position, 0) for position in range(2)]
    batch = stacked([{**task.example(i, draw), "draw": draw.column()} for i, draw in enumerate(draws)])
    config = load_training_config("sr-mini").model_copy(
        update={"precision": "bfloat16", "average": AverageConfig(kind="none")}
    )
    with made_up_gpu():
        network = task.build().train().to("cuda")
        return Learner(task, network, config, Share(device="cuda"), 1).loss(batch)
