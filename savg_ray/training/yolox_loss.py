"""The loss of YOLOX (Ge et al. 2021), with the weights of mmdet's YOLOXHead."""

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from savg_ray.networks.yolox import cell_boxes, grid_cells
from savg_ray.networks.yolox_parts import LevelOutputs
from savg_ray.training.sim_ota import assign_cells, paired_iou

BOX_WEIGHT = 5.0


def yolox_loss(outputs: Sequence[LevelOutputs], truth: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
    """Sums over the cells of a batch, divided by the number of cells that answer for an object.

    Boxes: 5 (1 - IoU^2). Objectness: cross entropy with whether a cell answers for an object. Classes, of these cells
    alone: cross entropy with the IoU at the object's class and 0 elsewhere. Every worker divides by its own number of
    cells. One thing is not in mmdet: cells in a box whose label is below 0 teach no objectness, unless they answer
    for an object.

    Args:
        outputs: of the head, at strides 8, 16 and 32, of B pictures.
        truth: float32 (B, M, 4), x0, y0, x1, y1 in px of the pictures as the network sees them.
        labels: int64 (B, M), classes; below 0 for boxes that are neither objects nor background, and for rows of
            zeros that only fill up.

    Returns:
        Scalars ``loss`` and its three parts.
    """
    # In half precision the logarithms of small IoUs, and sums over thousands of cells, would mean nothing.
    with torch.autocast(truth.device.type, enabled=False):
        cls, reg, obj = (
            torch.cat([part.flatten(2) for part in parts], 2).mT.float() for parts in zip(*outputs, strict=True)
        )
        obj = obj[..., 0]
        stride, corner = grid_cells(outputs)
        boxes = cell_boxes(reg, stride, corner)
        scores = (cls.detach().sigmoid() * obj.detach().sigmoid()[..., None]).sqrt()
        answer = assign_cells(scores, boxes.detach(), stride, corner, truth, labels)
        picture, cell = torch.nonzero(answer.object >= 0, as_tuple=True)
        target = answer.object[picture, cell]
        n_answers = max(len(cell), 1)

        iou = paired_iou(boxes[picture, cell], truth[picture, target])
        box_loss = BOX_WEIGHT * (1 - iou.square()).sum() / n_answers
        answers = (answer.object >= 0).float()
        taught = (answers > 0) | ~_in_any(corner + stride / 2, truth, labels < 0)
        objectness = F.binary_cross_entropy_with_logits(obj, answers, taught.float(), reduction="sum") / n_answers
        classes = F.one_hot(labels[picture, target], cls.shape[2]) * answer.iou[picture, cell][:, None]
        class_loss = F.binary_cross_entropy_with_logits(cls[picture, cell], classes, reduction="sum") / n_answers
    parts = {"box_loss": box_loss, "objectness_loss": objectness, "class_loss": class_loss}
    return {"loss": box_loss + objectness + class_loss, **{name: part.detach() for name, part in parts.items()}}


def _in_any(points: torch.Tensor, boxes: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
    """Whether points (N, 2) lie in any of the boxes (B, M, 4) that ``which`` (B, M) names: (B, N)."""
    inside = (points > boxes[:, :, None, :2]) & (points < boxes[:, :, None, 2:])
    return (inside.all(dim=-1) & which[..., None]).any(dim=1)
