"""Golden arrays of the diffusion, and the denoisers that they were made with."""

import json
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from savg_ray.diffusion.schedules import alpha_bars, linear_betas
from savg_ray.weights.fill import normal_array

GOLDEN = Path(__file__).parents[1] / "golden" / "diffusion"
MODALITIES = ("video", "audio")


def golden(name: str) -> dict[str, np.ndarray]:
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


def golden_config(name: str) -> dict:
    return json.loads((GOLDEN / f"{name}.json").read_text())


def modalities(arrays: dict[str, np.ndarray], prefix: str = "") -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(arrays[prefix + name]) for name in MODALITIES}


def step_noise(stem: str, arrays: dict[str, np.ndarray]):
    """Noise of step i: numbers 2 i (video) and 2 i + 1 (audio) of the file's own sequence."""

    def noise(i: int) -> dict[str, torch.Tensor]:
        shapes = {name: arrays[f"xT_{name}"].shape for name in MODALITIES}
        return {
            name: torch.from_numpy(normal_array(f"{stem}.step_noise.{2 * i + k}", shapes[name], int(arrays["salt"])))
            for k, name in enumerate(MODALITIES)
        }

    return noise


class MixtureDenoiser:
    """The exact noise of a mixture of joint patterns: equal weights, standard deviations sv and sa around them."""

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self.patterns = [torch.from_numpy(arrays[key]).double().flatten(1) for key in ("mv", "ma")]
        self.variances = [float(arrays[key]) ** 2 for key in ("sv", "sa")]
        self.alpha_bars = torch.from_numpy(alpha_bars(linear_betas(1000)))
        self.labels = []

    def __call__(self, x, labels):
        self.labels.append(labels.tolist())
        bar = self.alpha_bars[labels]
        flat = [x[name].double().flatten(1) for name in MODALITIES]
        spreads = [bar * variance + 1 - bar for variance in self.variances]
        logits = sum(
            (bar.sqrt()[:, None] * f @ p.T - bar[:, None] * p.square().sum(1) / 2) / d[:, None]
            for f, p, d in zip(flat, self.patterns, spreads, strict=True)
        )
        weights = logits.softmax(1)
        noise = [
            ((1 - bar).sqrt() / d)[:, None] * (f - bar.sqrt()[:, None] * (weights @ p))
            for f, p, d in zip(flat, self.patterns, spreads, strict=True)
        ]
        return {name: n.reshape(x[name].shape).float() for name, n in zip(MODALITIES, noise, strict=True)}


class RowwiseDenoiser(MixtureDenoiser):
    """The same, row by row, so that a row's last bits do not depend on the batch it is in."""

    def __call__(self, x, labels):
        rows = [
            super(RowwiseDenoiser, self).__call__({k: v[i : i + 1] for k, v in x.items()}, labels[i : i + 1])
            for i in range(len(labels))
        ]
        return {name: torch.cat([row[name] for row in rows]) for name in MODALITIES}


def upsampler_toy(low_res: torch.Tensor, s: float, total: int):
    """The upsampler's toy: noise of a Gaussian around the enlarged image, and smooth variance values."""
    bars = torch.from_numpy(alpha_bars(linear_betas(total)))

    def model(x, labels):
        up = functional.interpolate(low_res.double(), x.shape[2:], mode="bilinear", align_corners=False)
        bar = bars[labels][:, None, None, None]
        noise = (1 - bar).sqrt() * (x - bar.sqrt() * up) / (bar * s**2 + 1 - bar)
        return torch.cat([noise, 0.8 * torch.tanh(x + 0.2 * up)], dim=1).float()

    return model


def assert_close(found: dict[str, torch.Tensor], arrays: dict[str, np.ndarray], prefix: str, atol: float) -> None:
    for name in found:
        np.testing.assert_allclose(found[name], arrays[prefix + name], atol=atol, rtol=0, err_msg=name)
