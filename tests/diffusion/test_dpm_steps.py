"""Orders of convergence on the flow of a Gaussian, in float64 and with exact predictions at exact levels."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from savg_ray.diffusion import diffusion_tables
from savg_ray.diffusion.ancestral import ddim_step
from savg_ray.diffusion.dpm_steps import (
    data_estimate,
    data_first,
    data_multistep,
    data_second,
    noise_first,
    noise_second,
    noise_third,
)
from savg_ray.diffusion.gaussian_steps import noised
from savg_ray.diffusion.noise_schedule import NoiseLevel

MEAN, SPREAD = 0.4, 0.3
FIRST, LAST = -3.0, 3.0


def level(half_log_snr: float) -> NoiseLevel:
    ratio = torch.tensor(half_log_snr, dtype=torch.float64)
    return NoiseLevel(
        torch.tensor(math.nan), ratio, torch.sigmoid(2 * ratio).sqrt(), torch.sigmoid(-2 * ratio).sqrt()
    )


def deviation(at: NoiseLevel) -> torch.Tensor:
    return (at.alpha**2 * SPREAD**2 + at.sigma**2).sqrt()


def exact_noise(x, at):
    return at.sigma * (x - at.alpha * MEAN) / deviation(at) ** 2


def exact_data(x, at):
    return data_estimate(x, exact_noise(x, at), at, False)


def step_data_first(x, now, then, h):
    return data_first(x, exact_data(x, now), now, then, h)


def step_data_second(x, now, then, h, share=0.5):
    between, data = level(float(now.half_log_snr + share * h)), exact_data(x, now)
    u = data_first(x, data, now, between, share * h)
    return data_second(x, data, exact_data(u, between), now, then, h, share)


def step_noise_first(x, now, then, h):
    return noise_first(x, exact_noise(x, now), now, then, h)


def step_noise_second(x, now, then, h, share=0.4):
    between, noise = level(float(now.half_log_snr + share * h)), exact_noise(x, now)
    u = noise_first(x, noise, now, between, share * h)
    return noise_second(x, noise, exact_noise(u, between), now, then, h, share)


def step_noise_third(x, now, then, h):
    between, later = (level(float(now.half_log_snr + share * h)) for share in (1 / 3, 2 / 3))
    noise = exact_noise(x, now)
    noise_1 = exact_noise(noise_first(x, noise, now, between, h / 3), between)
    u = noise_third(x, noise, noise_1, now, later, 2 * h / 3, torch.tensor(0.5))
    return noise_third(x, noise, exact_noise(u, later), now, then, h, torch.tensor(2 / 3))


def error_of(step, n: int) -> float:
    levels = [level(ratio) for ratio in np.linspace(FIRST, LAST, n + 1)]
    x_T = torch.linspace(-1.5, 1.5, 7, dtype=torch.float64)
    x = x_T
    for now, then in pairwise(levels):
        x = step(x, now, then, then.half_log_snr - now.half_log_snr)
    start, end = levels[0], levels[-1]
    exact = end.alpha * MEAN + (x_T - start.alpha * MEAN) * deviation(end) / deviation(start)
    return float((x - exact).abs().max())


@pytest.mark.parametrize(
    ("step", "order"),
    [
        (step_data_first, 1),
        (step_data_second, 2),
        (step_noise_first, 1),
        (step_noise_second, 2),
        (step_noise_third, 3),
    ],
)
def test_order_of_convergence(step, order):
    coarse, fine = error_of(step, 80), error_of(step, 160)
    assert math.log2(coarse / fine) == pytest.approx(order, abs=0.25)
    assert fine < 0.1


def test_order_of_the_multistep():
    def error(n):
        history = []

        def step(x, now, then, h):
            data = exact_data(x, now)
            history.append((data, now))
            if len(history) == 1:
                return step_data_second(x, now, then, h)
            data_before, before = history[-2]
            return data_multistep(x, data, data_before, before, now, then)

        return error_of(step, n)

    assert math.log2(error(80) / error(160)) == pytest.approx(2, abs=0.25)


def test_first_orders_agree_with_each_other_and_with_ddim():
    tables = diffusion_tables(1000, "ddim20")
    x0 = torch.linspace(-0.9, 0.9, 9).reshape(1, 1, 9)
    noise = torch.sin(7 * x0)
    for i in (1, 6, 12, 19):
        x = noised(tables, x0, noise, [i])
        now, then = (
            NoiseLevel(torch.tensor(math.nan), 0.5 * torch.log(bar / (1 - bar)), bar.sqrt(), (1 - bar).sqrt())
            for bar in torch.from_numpy(tables.alpha_bars[[i, i - 1]])
        )
        h = then.half_log_snr - now.half_log_snr
        data = data_estimate(x, noise, now, False)
        ddim = ddim_step(x, noise, tables, i)
        np.testing.assert_allclose(data_first(x, data, now, then, h), ddim, atol=2e-6)
        np.testing.assert_allclose(noise_first(x, noise, now, then, h), ddim, atol=2e-6)
