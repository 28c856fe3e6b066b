"""Training loss of stereo SELD."""

import torch
from torch.nn import functional as F

from savg_ray.seld.events import WIDTH_PX


def seld_loss(
    activity_logits: torch.Tensor, position: torch.Tensor, activity: torch.Tensor, x_px: torch.Tensor
) -> torch.Tensor:
    """Half `detection_loss` plus half `localisation_loss`, a scalar.

    All four are float tensors of one shape, such as (B, 2, T): ``activity`` 0 or 1, ``x_px`` pixels of 256 (0 where
    inactive), ``position`` shares of the width.
    """
    return 0.5 * detection_loss(activity_logits, activity) + 0.5 * localisation_loss(position, activity, x_px)


def detection_loss(activity_logits: torch.Tensor, activity: torch.Tensor) -> torch.Tensor:
    """Binary cross entropy of activity, averaged over everything."""
    return F.binary_cross_entropy_with_logits(activity_logits, activity)


def localisation_loss(position: torch.Tensor, activity: torch.Tensor, x_px: torch.Tensor) -> torch.Tensor:
    """Squared error of position, in shares of the width, where a class is active.

    It is averaged over everything, silent places included: there the masked position and the target are both zero.
    """
    return F.mse_loss(position * activity, x_px / WIDTH_PX)
