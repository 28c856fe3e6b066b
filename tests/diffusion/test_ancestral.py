import numpy as np
import pytest
import torch

from savg_ray.diffusion import ddim_sample, ddpm_sample, diffusion_tables
from savg_ray.diffusion.ancestral import ddim_states, ddpm_states
from tests.diffusion.goldens import MixtureDenoiser, assert_close, golden, modalities, step_noise, upsampler_toy

ATOL = 1e-4


def check_states(states, arrays, model):
    """Compare with the recorded states of a run of the joint toy."""
    assert_close(states[0], arrays, "traj0_", ATOL)
    assert_close(states[1], arrays, "traj1_", ATOL)
    assert_close(states[-1], arrays, "final_", ATOL)
    np.testing.assert_allclose(torch.stack([x["audio"] for x in states]), arrays["traj_audio_all"], atol=ATOL)
    assert model.labels == [[t, t] for t in arrays["timestep_map"][::-1]]


def test_golden_ddpm():
    arrays = golden("mm_ddpm10")
    model, x_T, noise = MixtureDenoiser(arrays), modalities(arrays, "xT_"), step_noise("mm_ddpm10", arrays)
    check_states(list(ddpm_states(model, x_T, diffusion_tables(1000, "10"), noise)), arrays, model)


def test_golden_ddim():
    arrays = golden("mm_ddim20")
    model, x_T = MixtureDenoiser(arrays), modalities(arrays, "xT_")
    check_states(list(ddim_states(model, x_T, diffusion_tables(1000, "ddim20"))), arrays, model)
    assert_close(ddim_sample(model, x_T, 1000, "ddim20"), arrays, "final_", ATOL)


def test_golden_upsampling_of_frames_that_share_their_noise():
    arrays = golden("ddim25_sr_toy")
    x_T = torch.from_numpy(arrays["noise"]).repeat_interleave(int(arrays["frames"]), dim=0)
    labels = []
    toy = upsampler_toy(torch.from_numpy(arrays["low_res"]), float(arrays["s"]), 1100)

    def model(x, t):
        labels.append(t.tolist())
        return toy(x, t)

    states = torch.stack(list(ddim_states(model, x_T, diffusion_tables(1100, "ddim25"))))
    np.testing.assert_allclose(states[arrays["traj_index"]], arrays["traj"], atol=ATOL)
    np.testing.assert_allclose(states[-1], arrays["final"], atol=ATOL)
    assert labels == [[t] * len(x_T) for t in arrays["model_t"]]
    assert torch.equal(ddim_sample(toy, x_T, 1100, "ddim25"), states[-1])


def test_noise_is_taken_in_three_forms():
    arrays = golden("mm_ddpm10")
    model, x_T, noise = MixtureDenoiser(arrays), modalities(arrays, "xT_"), step_noise("mm_ddpm10", arrays)
    steps = [noise(i) for i in range(9)]
    stacked = {name: torch.stack([step[name] for step in steps]) for name in x_T}
    for form in (noise, steps, stacked):
        assert_close(ddpm_sample(model, x_T, 1000, "10", form), arrays, "final_", ATOL)


def test_a_predicted_variance_scales_the_noise():
    x_T, tables = torch.zeros(1, 2, 3, 3), diffusion_tables(1000, "2")
    z = torch.ones(1, 1, 2, 3, 3)

    def sample(value):
        return next(ddpm_states(lambda x, t: torch.cat([x, torch.full_like(x, value)], 1), x_T, tables, z))

    small, large = (float(sample(value)[0, 0, 0, 0]) for value in (-1.0, 1.0))
    assert large == pytest.approx(np.sqrt(tables.betas[1]), rel=1e-5)
    assert small == pytest.approx(np.sqrt(tables.posterior_variance[1]), rel=1e-5)


def test_ddim_ends_in_the_clamped_estimate():
    x = ddim_sample(lambda x, t: torch.zeros_like(x), torch.full((1, 1, 4), 2.0), 1000, "ddim5")
    assert torch.equal(x, torch.ones(1, 1, 4))


def test_calls_are_announced():
    told, x_T = [], {"video": torch.zeros(2, 1, 3, 2, 2)}
    ddim_sample(
        lambda x, t: x, x_T, 100, "ddim5", announce=lambda rows, calls: told.append((list(rows), list(calls)))
    )
    assert told == [([0, 1], [i, i]) for i in range(5)]


def test_other_shapes_are_named():
    for channels in (1, 5, 9):
        with pytest.raises(ValueError, match="must return that shape, or twice its channels"):
            ddim_sample(lambda x, t, c=channels: torch.zeros(1, c, 4, 4), torch.zeros(1, 3, 4, 4), 100, "ddim5")
