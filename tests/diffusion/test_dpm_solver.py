import numpy as np
import pytest
import torch

from savg_ray.diffusion import dpm_solver_multistep, dpm_solver_singlestep
from savg_ray.diffusion.dpm_solver import group_orders
from tests.diffusion.goldens import MixtureDenoiser, assert_close, golden, modalities


@pytest.mark.parametrize(
    ("name", "steps", "skip"),
    [("dpm_singlestep3_logsnr20", 20, "logSNR"), ("dpm_singlestep3_uniform50", 50, "time_uniform")],
)
def test_golden_singlestep(name, steps, skip):
    arrays = golden(name)
    solution = dpm_solver_singlestep(MixtureDenoiser(arrays), modalities(arrays, "xT_"), steps, 3, skip)
    assert solution.nfe == int(arrays["nfe"])
    assert solution.labels == arrays["model_t"].tolist()
    assert_close(solution.sample, arrays, "out_", 1e-4)


@pytest.mark.parametrize(("name", "thresholding"), [("dpm_multistep2_pp", False), ("dpm_multistep2_pp_thr", True)])
def test_golden_multistep(name, thresholding):
    arrays = golden(name)
    model = MixtureDenoiser(arrays)
    solution = dpm_solver_multistep(model, modalities(arrays, "xT_"), 20, thresholding=thresholding)
    assert solution.nfe == int(arrays["nfe"])
    assert solution.labels == arrays["model_t"].tolist() == [row[0] for row in model.labels]
    assert_close(solution.sample, arrays, "out_", 1e-4)


@pytest.mark.parametrize(
    ("steps", "order", "orders"),
    [
        (20, 3, [3] * 6 + [2]),
        (19, 3, [3] * 6 + [1]),
        (18, 3, [3] * 5 + [2, 1]),
        (3, 3, [2, 1]),
        (2, 3, [2]),
        (1, 3, [1]),
        (8, 2, [2] * 4),
        (7, 2, [2] * 3 + [1]),
        (4, 1, [1] * 4),
    ],
)
def test_groups_make_exactly_the_steps(steps, order, orders):
    assert group_orders(steps, order) == orders
    x_T = {"video": torch.ones(1, 1, 3, 2, 2)}
    solution = dpm_solver_singlestep(lambda x, labels: x, x_T, steps, order, "logSNR")
    assert solution.nfe == len(solution.labels) == steps and solution.labels[0] == 999


@pytest.mark.parametrize(("order", "steps", "atol"), [(1, 200, 0.02), (2, 60, 5e-3), (3, 60, 5e-3)])
def test_a_gaussian_ends_where_its_flow_ends(order, steps, atol):
    """For x0 ~ N(0, s²) the flow scales noise by the ratio of its first and last standard deviation, here about s."""
    s = 0.2
    model = MixtureDenoiser({"mv": np.zeros((1, 48)), "ma": np.zeros((1, 32)), "sv": s, "sa": s})
    x_T = {
        "video": torch.linspace(-2, 2, 48).reshape(1, 1, 3, 4, 4),
        "audio": torch.linspace(-2, 2, 32).reshape(1, 2, 16),
    }
    sample = dpm_solver_singlestep(model, x_T, steps, order, "logSNR").sample
    for name in x_T:
        np.testing.assert_allclose(sample[name], s * x_T[name], atol=atol)


def test_one_announcement_a_call():
    told = []
    x_T = {"video": torch.ones(2, 1, 3, 2, 2)}
    dpm_solver_multistep(
        lambda x, labels: x, x_T, 3, announce=lambda rows, calls: told.append((list(rows), list(calls)))
    )
    assert told == [([0, 1], [i, i]) for i in range(3)]


def test_no_graph_is_kept_of_a_sample():
    weight = torch.ones((), requires_grad=True)
    x_T = {"video": torch.ones(1, 1, 3, 2, 2)}
    assert not dpm_solver_multistep(lambda x, _: {"video": weight * x["video"]}, x_T, 2).sample["video"].requires_grad


def test_bad_arguments_are_named():
    x_T = {"video": torch.ones(1, 1, 3, 2, 2)}
    for arguments, words in [((0, 3, "logSNR"), "steps"), ((5, 4, "logSNR"), "order"), ((5, 3, "logsnr"), "skip")]:
        with pytest.raises(ValueError, match=words):
            dpm_solver_singlestep(lambda x, labels: x, x_T, *arguments)
    with pytest.raises(ValueError, match="steps"):
        dpm_solver_multistep(lambda x, labels: x, x_T, 0)
