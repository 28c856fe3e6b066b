import numpy as np
import pytest
import torch

from savg_ray.seld.loss import seld_loss
from tests.toys import golden_json


@pytest.mark.parametrize("case", golden_json("seld_loss.json"), ids=lambda case: str(case["seed"]))
def test_golden_loss_and_gradients(case):
    rng = np.random.Generator(np.random.PCG64(case["seed"]))
    shape = (4, 1, 2, 128)
    logits = torch.from_numpy(rng.standard_normal(shape).astype(np.float32)).requires_grad_()
    position = torch.from_numpy(rng.standard_normal(shape).astype(np.float32) * 0.3 + 0.5).float()
    position = position.detach().requires_grad_()
    active = rng.random(shape) < 0.3
    x_px = rng.integers(0, 256, shape) * active
    loss = seld_loss(logits, position, torch.from_numpy(active).float(), torch.from_numpy(x_px).float())
    loss.backward()
    assert loss.item() == pytest.approx(case["masked_mse|0to256_0to1"], rel=1e-5)
    assert logits.grad.norm().item() == pytest.approx(case["grad_norm_cat"], rel=1e-5)
    assert position.grad.norm().item() == pytest.approx(case["grad_norm_azi"], rel=1e-5)


def test_positions_of_silent_classes_are_free():
    logits, silent = torch.zeros(1, 2, 8), torch.zeros(1, 2, 8)
    losses = [seld_loss(logits, torch.full_like(logits, p), silent, silent).item() for p in (0.0, 0.7, -3.0)]
    assert losses == pytest.approx([0.5 * np.log(2)] * 3)
