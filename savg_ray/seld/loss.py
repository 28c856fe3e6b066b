"""Training loss of stereo SELD."""

import torch
from torch.nn import functional as F

from savg_ray.seld.events import WIDTH_PX


def seld_loss(
    activity_logits: torch.Tensor, position: torch.Tensor, activity: torch.Tensor, x_px: torch.Tensor
) -> torch.Tensor:
    """Half binary cross entropy of activity plus half squared error of position where a class is active.

    All four are float tensors of one shape, such as (B, 2, T): ``activity`` 0 or 1, ``x_px`` pixels of 256 (0 where
    inactive), ``position`` shares of the width. Both terms are averaged over everything, silent places included
    (there the masked position and the target are both zero). Returns a scalar.
    """
    detection = F.binary_cross_entropy_with_logits(activity_logits, activity)
    localisation = F.mse_loss(position * activity, x_px / WIDTH_PX)
    return 0.5 * detection + 0.5 * localisation
