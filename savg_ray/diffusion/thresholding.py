"""Dynamic thresholding: estimates of the clean sample kept within [-1, 1] without saturating."""

import torch

QUANTILE = 0.995


def dynamically_thresholded(x0: torch.Tensor) -> torch.Tensor:
    """Clamp each sample of (B, ...) to its 99.5 % quantile of absolute values, at least 1, and divide by it.

    Saharia et al. 2022, section 2.3. The official sampler applies it to video and audio separately.
    """
    return torch.stack([_thresholded(sample) for sample in x0])


def _thresholded(sample: torch.Tensor) -> torch.Tensor:
    limit = torch.quantile(sample.abs().flatten(), QUANTILE).clamp(min=1)
    return sample.clamp(-limit, limit) / limit
