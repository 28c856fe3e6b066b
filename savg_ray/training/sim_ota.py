"""SimOTA: which cells of YOLOX's grids answer for which object while it learns (Ge et al. 2021, section 2.1)."""

from typing import NamedTuple

import torch

CENTRE_RADIUS = 2.5
"""A cell is close to an object's centre within so many of its strides, along either axis."""

CANDIDATES = 10
"""So many of the best boxes have a say in how many cells an object gets."""

IOU_WEIGHT = 3.0

_OUTSIDE_COST = 1e5
_SMALLEST = 1e-7
# The smallest logarithm of a probability that counts, as in torch's binary cross entropy.
_SMALLEST_LOG = -100.0


class Assignment(NamedTuple):
    """What every cell answers for.

    Attributes:
        object: int64 (B, N), index of the object, -1 for none.
        iou: float32 (B, N), of the cell's box with that object; 0 for none.
    """

    object: torch.Tensor
    iou: torch.Tensor


@torch.no_grad()
def assign_cells(
    scores: torch.Tensor,
    boxes: torch.Tensor,
    stride: torch.Tensor,
    corner: torch.Tensor,
    truth: torch.Tensor,
    labels: torch.Tensor,
) -> Assignment:
    """Deal cells to objects, as mmdet's SimOTAAssigner does with its defaults, for all pictures at once.

    Candidates are the cells whose centre lies in any object or close to its centre. Of these an object takes the k
    that cost it least, k being the sum of its ten best IoUs, rounded down, and at least one. The cost of a cell is
    the cross entropy of its scores with the object's class, plus 3 times -log IoU, plus 10^5 unless its centre lies
    both in the object and close to its centre. A cell that several objects take answers for that which it costs
    least.

    Args:
        scores: float32 (B, N, K), square root of class times objectness, 0..1.
        boxes: float32 (B, N, 4), what the cells predict, x0, y0, x1, y1 in px.
        stride, corner: of the cells, (N, 1) and (N, 2), as `savg_ray.networks.yolox.grid_cells` gives them.
        truth: float32 (B, M, 4), boxes of the objects.
        labels: int64 (B, M), their classes; rows below 0 are no objects.
    """
    real = (labels >= 0)[..., None]
    centre = corner + stride / 2
    in_object = ((centre > truth[:, :, None, :2]) & (centre < truth[:, :, None, 2:])).all(dim=-1) & real
    away = (centre - (truth[:, :, None, :2] + truth[:, :, None, 2:]) / 2).abs()
    close = (away < CENTRE_RADIUS * stride).all(dim=-1) & real
    candidate = (in_object | close).any(dim=1, keepdim=True) & real

    iou = paired_iou(truth[:, :, None], boxes[:, None]) * candidate
    cost = _class_cost(scores, labels) - IOU_WEIGHT * (iou + _SMALLEST).log()
    cost = cost + _OUTSIDE_COST * ~(in_object & close)
    cost = cost.masked_fill(~candidate, torch.inf)

    n_best = min(CANDIDATES, cost.shape[2])
    n_cells = iou.topk(n_best).values.sum(dim=2).int().clamp(min=1)
    least, cell = cost.topk(n_best, largest=False)
    wanted = (torch.arange(n_best, device=cost.device) < n_cells[..., None]) & least.isfinite()
    taken = torch.zeros_like(candidate).scatter(2, cell, wanted)

    cheapest = torch.zeros_like(taken).scatter(1, cost.argmin(dim=1, keepdim=True), True)
    taken = torch.where(taken.sum(dim=1, keepdim=True) > 1, cheapest, taken)
    answers = taken.any(dim=1)
    return Assignment(torch.where(answers, taken.int().argmax(dim=1), -1), (taken * iou).sum(dim=1))


def paired_iou(boxes: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Intersection over union (...) of boxes (..., 4) with others, one by one; shapes are broadcast."""
    sides = torch.minimum(boxes[..., 2:], others[..., 2:]) - torch.maximum(boxes[..., :2], others[..., :2])
    shared = sides.clamp(min=0).prod(dim=-1)
    union = sum((box[..., 2:] - box[..., :2]).prod(dim=-1) for box in (boxes, others)) - shared
    return shared / union.clamp(min=1e-6)


def _class_cost(scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Binary cross entropy (B, M, N) of each cell's scores, summed over classes, with each object's class."""
    of_object = scores.transpose(1, 2).gather(1, labels.clamp(min=0)[..., None].expand(-1, -1, scores.shape[1]))
    absent = _logarithm(1 - scores).sum(dim=2)[:, None] - _logarithm(1 - of_object)
    return -(absent + _logarithm(of_object))


def _logarithm(probability: torch.Tensor) -> torch.Tensor:
    return probability.log().clamp(min=_SMALLEST_LOG)
