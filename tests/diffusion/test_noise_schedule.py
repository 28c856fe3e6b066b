import numpy as np
import pytest
import torch

from savg_ray.diffusion.noise_schedule import linear_noise_schedule
from tests.diffusion.goldens import golden

SCHEDULE = linear_noise_schedule()
BARS = golden("schedules")["alphas_cumprod_1000"]


@pytest.mark.parametrize("step", [0, 1, 17, 500, 998, 999])
def test_the_discrete_levels_are_nodes(step):
    level = SCHEDULE.level((step + 1) / 1000)
    assert float(level.alpha) == pytest.approx(np.sqrt(BARS[step]), rel=2e-5)
    assert float(level.sigma) == pytest.approx(np.sqrt(1 - BARS[step]), rel=5e-4)
    assert float(level.half_log_snr) == pytest.approx(0.5 * np.log(BARS[step] / (1 - BARS[step])), abs=5e-4)


@pytest.mark.parametrize("time", [1.0, 0.7771, 0.30452, 0.0123, 0.001])
def test_inverse(time):
    level = SCHEDULE.level(time)
    again = SCHEDULE.level_at(level.half_log_snr)
    assert float(again.time) == pytest.approx(time, rel=1e-3, abs=1e-6)
    assert float(again.alpha**2 + again.sigma**2) == pytest.approx(1, abs=1e-6)


def test_outer_segments_go_on():
    below, first, second = (float(SCHEDULE.level(t).alpha.log()) for t in (0.0005, 0.001, 0.002))
    assert below == pytest.approx(first - (second - first) / 2, abs=1e-6)
    above = SCHEDULE.level_at(SCHEDULE.level(1.0).half_log_snr - 0.01)
    assert float(above.time) > 1


def test_labels_are_truncated():
    times = [1.0, 0.99752325, 0.5019999, 0.5020001, 0.0019, 0.001]
    assert [SCHEDULE.label(SCHEDULE.level(t)) for t in times] == [999, 996, 500, 501, 0, 0]


def test_golden_labels_of_golden_times():
    arrays = golden("dpm_adaptive_a")
    labels = [SCHEDULE.label(SCHEDULE.level(torch.tensor(t))) for t in arrays["model_t_cont"]]
    assert labels == arrays["model_t"].tolist()


def test_roots_are_correctly_rounded():
    """Float32 roots of vector libraries are not, on some processors: the noise of the first step would be off."""
    level = SCHEDULE.level(1.0)
    variance = np.float32(1) - np.float32(np.exp(2 * np.log(level.alpha.double().numpy())))
    assert level.sigma.numpy() == np.sqrt(variance)
