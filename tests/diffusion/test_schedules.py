import numpy as np
import pytest
import torch

from savg_ray.diffusion import diffusion_tables
from savg_ray.diffusion.schedules import alpha_bars, at_steps, linear_betas
from tests.diffusion.goldens import golden

GOLDEN = golden("schedules")


@pytest.mark.parametrize("total", [1000, 1100])
def test_golden_levels(total):
    betas = linear_betas(total)
    np.testing.assert_allclose(betas, GOLDEN[f"betas_{total}"], rtol=1e-12)
    np.testing.assert_allclose(alpha_bars(betas), GOLDEN[f"alphas_cumprod_{total}"], rtol=1e-12)


def test_golden_posterior():
    tables = diffusion_tables(1000)
    np.testing.assert_array_equal(tables.timesteps, np.arange(1000))
    for found, name in [
        (tables.posterior_variance, "posterior_variance"),
        (tables.posterior_log_variance, "posterior_log_variance_clipped"),
        (tables.posterior_mean_x0, "posterior_mean_coef1"),
        (tables.posterior_mean_xt, "posterior_mean_coef2"),
    ]:
        np.testing.assert_allclose(found, GOLDEN[f"{name}_1000"], rtol=1e-11, err_msg=name)


def test_golden_ddim25():
    tables = diffusion_tables(1100, "ddim25")
    np.testing.assert_array_equal(tables.timesteps, GOLDEN["ddim25_timesteps"])
    for found, name in [
        (tables.betas, "betas"),
        (tables.alpha_bars, "alphas_cumprod"),
        (tables.alpha_bars_prev, "alphas_cumprod_prev"),
        (tables.posterior_variance, "posterior_variance"),
        (tables.posterior_log_variance, "posterior_log_variance_clipped"),
    ]:
        np.testing.assert_allclose(found, GOLDEN[f"ddim25_{name}"], rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("spec", ["", "10", "ddim50", "7,3", "1"])
def test_respacing_keeps_levels_and_a_posterior_keeps_variance(spec):
    tables, full = diffusion_tables(1000, spec), diffusion_tables(1000)
    np.testing.assert_allclose(tables.alpha_bars, full.alpha_bars[tables.timesteps], rtol=1e-10)
    # The posterior's mean of a noiseless path lies on the path: sqrt(abar_prev) x0.
    on_path = tables.posterior_mean_x0 + tables.posterior_mean_xt * np.sqrt(tables.alpha_bars)
    np.testing.assert_allclose(on_path, np.sqrt(tables.alpha_bars_prev), rtol=1e-9)
    assert tables.posterior_variance[0] == 0 and np.isfinite(tables.posterior_log_variance).all()
    assert len(tables) == len(tables.timesteps)


def test_entries_broadcast_over_samples():
    entries = at_steps(np.arange(5.0), torch.tensor([4, 0, 2]), torch.zeros(3, 2, 6, 7))
    assert entries.dtype == torch.float32 and entries.shape == (3, 1, 1, 1)
    assert entries.flatten().tolist() == [4, 0, 2]
