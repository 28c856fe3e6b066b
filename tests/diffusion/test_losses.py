import numpy as np
import pytest
import torch

from savg_ray.diffusion import diffusion_tables, mm_loss, sr_loss
from savg_ray.diffusion.gaussian_steps import noised, reverse_step
from savg_ray.diffusion.losses import clean_loss
from tests.diffusion.goldens import MODALITIES, MixtureDenoiser, golden, modalities, upsampler_toy

TABLES = diffusion_tables(1000)
KINDS = ["mse", "rescaled_mse", "rescaled_kl"]


def close(found, expected, rtol=1e-5, atol=1e-6):
    np.testing.assert_allclose(found.detach(), expected, rtol=rtol, atol=atol)


def test_golden_joint_loss():
    arrays = golden("loss_mm_toy")
    x0, noise, steps = modalities(arrays), modalities(arrays, "noise_"), torch.from_numpy(arrays["timesteps"])
    model = MixtureDenoiser(arrays)
    result = mm_loss(model, x0, noise, steps, TABLES)
    close(result.loss, arrays["loss"])
    assert model.labels == [steps.tolist()]
    for name in MODALITIES:
        close(result.mse[name], arrays[f"mse_{name}"])
        close(noised(TABLES, x0[name], noise[name], steps), arrays[f"xt_{name}"])


@pytest.mark.parametrize("name", MODALITIES)
def test_golden_reverse_step_with_fixed_variance(name):
    arrays = golden("loss_mm_toy")
    steps = torch.from_numpy(arrays["timesteps"])
    x = modalities(arrays, "xt_")
    back = reverse_step(TABLES, x[name], MixtureDenoiser(arrays)(x, steps)[name], steps)
    close(back.mean, arrays[f"pmv_mean_{name}"], atol=1e-5)
    close(back.x0, arrays[f"pmv_pred_xstart_{name}"], atol=1e-5)
    close(back.log_variance.flatten(), arrays[f"pmv_log_variance_{name}"])
    close(back.log_variance.exp().flatten(), arrays[f"pmv_variance_{name}"])


def sr_inputs(arrays):
    return [torch.from_numpy(arrays[key]) for key in ("x", "noise", "timesteps")]


@pytest.fixture
def sr():
    arrays = golden("loss_sr_toy")
    return arrays, upsampler_toy(torch.from_numpy(arrays["low_res"]), float(arrays["s"]), 1000)


@pytest.mark.parametrize("kind", KINDS)
def test_golden_upsampler_loss(sr, kind):
    check_upsampler_loss(*sr, kind)


def check_upsampler_loss(arrays, model, kind):
    """Losses of a network and of a constant output ``leaf``, and the gradient of the latter."""
    leaf = torch.from_numpy(arrays["leaf"]).requires_grad_()
    for prefix, network in ((kind, model), (f"{kind}_leaf", lambda x, t: leaf)):
        result = sr_loss(network, *sr_inputs(arrays), TABLES, kind)
        close(result.loss, arrays[f"{prefix}_loss"])
        if kind != "rescaled_kl":
            close(result.mse, arrays[f"{prefix}_mse"])
            close(result.vb, arrays[f"{prefix}_vb"])
    result.loss.mean().backward()
    expected = arrays[f"{kind}_leaf_grad"]
    close(leaf.grad, expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max())


def test_golden_loss_on_400_of_1000_steps(sr):
    arrays, _ = sr
    leaf = torch.from_numpy(arrays["leaf"])
    x0, noise, _ = sr_inputs(arrays)
    labels = []

    def model(x, t):
        labels.extend(t.tolist())
        return leaf

    tables, steps = diffusion_tables(1000, "400"), torch.from_numpy(arrays["resp400_t"])
    result = sr_loss(model, x0, noise, steps, tables, "rescaled_mse")
    for name in ("loss", "mse", "vb"):
        close(getattr(result, name), arrays[f"resp400_leaf_{name}"])
    assert labels == tables.timesteps[arrays["resp400_t"]].tolist()


def test_golden_reverse_step_with_learned_variance(sr):
    arrays, model = sr
    x0, noise, steps = sr_inputs(arrays)
    x = noised(TABLES, x0, noise, steps)
    close(x, arrays["xt"])
    back = reverse_step(TABLES, x, model(x, steps), steps)
    close(back.mean, arrays["pmv_mean"], atol=1e-5)
    close(back.log_variance, arrays["pmv_log_variance"])
    close(back.x0, arrays["pmv_pred_xstart"], atol=1e-5)


def test_the_true_noise_and_posterior_variance_cost_nothing():
    generator = torch.Generator().manual_seed(0)
    x0, noise = (torch.randn(3, 3, 4, 4, generator=generator) for _ in range(2))
    steps = torch.tensor([1, 300, 999])
    result = sr_loss(lambda x, t: torch.cat([noise, -torch.ones_like(noise)], 1), x0, noise, steps, TABLES)
    assert float(result.loss.abs().max()) < 1e-3


def test_grey_levels_have_probabilities_that_sum_to_one():
    """At step 0 the bound is the code length of 256 grey levels: over all of them it is a distribution."""
    levels = torch.linspace(-1, 1, 256).reshape(256, 1, 1, 1)
    x = torch.full((256, 1, 1, 1), 0.3)
    noise = (x - float(np.sqrt(TABLES.alpha_bars[0])) * levels) / float(np.sqrt(1 - TABLES.alpha_bars[0]))
    steps = torch.zeros(256, dtype=torch.int64)
    result = sr_loss(lambda x, t: torch.zeros(256, 2, 1, 1), levels, noise, steps, TABLES)
    assert float(torch.exp2(-result.vb).sum()) == pytest.approx(1, abs=1e-4)


def test_bad_arguments_are_named():
    x = torch.zeros(1, 3, 2, 2)
    with pytest.raises(ValueError, match="kind must be one of"):
        sr_loss(lambda x, t: x, x, x, torch.tensor([3]), TABLES, "l1")
    with pytest.raises(ValueError, match="variance values"):
        sr_loss(lambda x, t: x, x, x, torch.tensor([3]), TABLES)
    with pytest.raises(ValueError, match="must return shapes"):
        mm_loss(lambda x, t: {"video": x["video"][:, :1]}, {"video": x}, {"video": x}, torch.tensor([3]), TABLES)


def test_the_clean_loss_is_the_velocity_s_error_where_there_is_noise():
    generator = torch.Generator().manual_seed(0)
    x0, noise, guess = (torch.randn(4, 3, 5, generator=generator) for _ in range(3))
    steps = torch.tensor([20, 300, 600, 999])
    found = clean_loss(lambda x, labels: guess, x0, noise, steps, TABLES)
    bars = torch.from_numpy(TABLES.alpha_bars[steps]).float().view(-1, 1, 1)
    x = bars.sqrt() * x0 + (1 - bars).sqrt() * noise
    velocity = bars.sqrt() * noise - (1 - bars).sqrt() * x0
    implied = (bars.sqrt() * x - guess) / (1 - bars).sqrt()
    expected = (implied - velocity).square().flatten(1).mean(1)
    close(found[1:], expected[1:], rtol=1e-4)
    # Nearly clean: signal to noise of 45, of which 5 count.
    close(found[0], 6 * (guess[0] - x0[0]).square().mean())


def test_the_clean_loss_of_modalities_is_that_of_each():
    arrays = golden("loss_mm_toy")
    x0, noise, steps = modalities(arrays), modalities(arrays, "noise_"), torch.from_numpy(arrays["timesteps"])
    together = clean_loss(lambda x, labels: noise, x0, noise, steps, TABLES)
    for name in MODALITIES:
        close(together[name], clean_loss(lambda x, labels, n=name: noise[n], x0[name], noise[name], steps, TABLES))
    with pytest.raises(ValueError, match="must return shapes"):
        clean_loss(lambda x, labels: {"video": noise["video"]}, x0, noise, steps, TABLES)
