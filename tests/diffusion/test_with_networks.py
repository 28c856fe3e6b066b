"""Solvers and losses on small networks with filled weights, against the official ones on the same weights."""

from functools import cache

import numpy as np
import pytest
import torch

from savg_ray.compat import build_mm_unet, build_sr_unet, fill_deterministic
from savg_ray.diffusion import diffusion_tables, dpm_solver_adaptive, mm_loss
from savg_ray.diffusion.ancestral import ddim_states
from savg_ray.diffusion.gaussian_steps import noised
from tests.diffusion.goldens import MODALITIES, assert_close, golden, golden_config, modalities
from tests.diffusion.test_losses import KINDS, check_upsampler_loss


@cache
def network(name: str) -> torch.nn.Module:
    config = golden_config(name)
    net = (build_mm_unet if name.startswith("mm") else build_sr_unet)(config["config"])
    return fill_deterministic(net, config["fill_salt"]).requires_grad_(False)


def joint_model(name: str, shifts_of_calls):
    """The network as solvers call it, with the window shifts of its first, second, ... call."""
    calls = iter(shifts_of_calls)

    def model(x, labels):
        return dict(zip(MODALITIES, network(name)(x["video"], x["audio"], labels, next(calls).tolist()), strict=True))

    return model


@pytest.mark.parametrize("name", ["mm_d", "mm_b"])
def test_golden_adaptive_sampling(name):
    arrays = golden(f"e2e_adaptive_{name}")
    solution = dpm_solver_adaptive(joint_model(name, arrays["shifts"]), modalities(arrays, "xT_"))
    assert solution.nfe == int(arrays["nfe"])
    assert solution.labels == arrays["model_t"].tolist()
    attempts = solution.traces[0].attempts
    assert [attempt.accepted for attempt in attempts] == arrays["attempt_accepted"].tolist()
    np.testing.assert_allclose([attempt.error for attempt in attempts], arrays["attempt_E"], rtol=2e-3)
    assert_close(solution.sample, arrays, "out_", 1e-4)


def test_golden_joint_loss():
    arrays = golden("loss_mm_unet")
    x0, noise, steps = modalities(arrays), modalities(arrays, "noise_"), torch.from_numpy(arrays["timesteps"])
    model = joint_model(str(arrays["unet"]), [arrays["shifts"]])
    result = mm_loss(model, x0, noise, steps, diffusion_tables(1000))
    np.testing.assert_allclose(result.loss, arrays["loss"], rtol=1e-5)
    for name in MODALITIES:
        np.testing.assert_allclose(result.mse[name], arrays[f"mse_{name}"], rtol=1e-5)
        xt = noised(diffusion_tables(1000), x0[name], noise[name], steps)
        np.testing.assert_allclose(xt, arrays[f"xt_{name}"], atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_golden_upsampler_loss(kind):
    arrays = golden("loss_sr_unet")
    net, low_res = network(str(arrays["unet"])), torch.from_numpy(arrays["low_res"])
    check_upsampler_loss(arrays, lambda x, labels: net(x, labels, low_res), kind)


def test_golden_upsampling():
    arrays = golden("ddim25_sr_unet")
    net, low_res = network(str(arrays["unet"])), torch.from_numpy(arrays["low_res"])
    x_T = torch.from_numpy(arrays["noise"]).repeat_interleave(int(arrays["frames"]), dim=0)
    with torch.no_grad():
        states = list(ddim_states(lambda x, t: net(x, t, low_res), x_T, diffusion_tables(1100, "ddim25")))
    np.testing.assert_allclose(torch.stack(states)[arrays["traj_index"]], arrays["traj"], atol=1e-4)
    np.testing.assert_allclose(states[-1], arrays["final"], atol=1e-4)
