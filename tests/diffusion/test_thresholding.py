import numpy as np
import torch

from savg_ray.diffusion.thresholding import dynamically_thresholded


def test_within_one_only_the_tail_is_touched():
    x0 = torch.linspace(-0.9, 0.9, 200).reshape(1, 2, 100)
    assert torch.equal(dynamically_thresholded(x0), x0)
    x0[0, 0, 0] = 1.5
    np.testing.assert_array_equal(dynamically_thresholded(x0)[0, 0, 0], 1.0)


def test_each_sample_is_divided_by_its_own_quantile():
    generator = torch.Generator().manual_seed(0)
    x0 = torch.randn(3, 4, 100, generator=generator) * torch.tensor([0.1, 1.0, 5.0]).reshape(3, 1, 1)
    out = dynamically_thresholded(x0)
    for sample, result in zip(x0, out, strict=True):
        limit = max(1.0, np.quantile(np.abs(sample.numpy()), 0.995))
        np.testing.assert_allclose(result, np.clip(sample, -limit, limit) / limit, rtol=1e-5)
    assert float(out.abs().max()) == 1.0
    assert torch.equal(dynamically_thresholded(x0[2:]), out[2:])
