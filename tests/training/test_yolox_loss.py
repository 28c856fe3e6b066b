"""The loss against a plain reference, written cell by cell, and against cases worked out by hand."""

import math

import numpy as np
import pytest
import torch

from savg_ray.networks.yolox import grid_cells
from savg_ray.networks.yolox_parts import STRIDES, LevelOutputs
from savg_ray.training.sim_ota import assign_cells, paired_iou
from savg_ray.training.yolox_loss import yolox_loss

SIDE_PX = 96
N_CELLS = sum((SIDE_PX // stride) ** 2 for stride in STRIDES)


def random_outputs(seed, n_pictures, n_classes=3):
    """Boxes about as large as the objects, at random."""
    random = torch.Generator().manual_seed(seed)
    outputs = []
    for stride in STRIDES:
        side = SIDE_PX // stride
        cls = torch.randn(n_pictures, n_classes, side, side, generator=random)
        reg = torch.randn(n_pictures, 4, side, side, generator=random) * 0.5
        reg[:, 2:] += math.log(32 / stride)
        obj = torch.randn(n_pictures, 1, side, side, generator=random)
        outputs.append(LevelOutputs(*(part.requires_grad_() for part in (cls, reg, obj))))
    return outputs


TRUTH = torch.tensor(
    [
        [[10.0, 8, 42, 70], [14, 12, 48, 76], [0, 0, 0, 0]],
        [[50.0, 50, 52, 53], [0, 60, 20, 96], [60, 0, 96, 40]],
        [[0.0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]],
    ]
)
LABELS = torch.tensor([[0, 0, -1], [1, -1, 0], [-1, -1, -1]])


def iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return shared / max((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared, 1e-6)


def cross_entropy(p, target):
    return -(target * max(math.log(p), -100) + (1 - target) * max(math.log(1 - p), -100))


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def reference_cells(outputs, picture):
    """One dictionary a cell, in the order of the levels."""
    cells = []
    for stride, level in zip(STRIDES, outputs, strict=True):
        cls, reg, obj = (part[picture].detach().double().numpy() for part in level)
        for row in range(obj.shape[1]):
            for column in range(obj.shape[2]):
                x, y, width, height = reg[:, row, column]
                middle = np.array([(column + x) * stride, (row + y) * stride])
                half = np.exp([width, height]) * stride / 2
                cells.append(
                    {
                        "stride": stride,
                        "centre": ((column + 0.5) * stride, (row + 0.5) * stride),
                        "box": (*(middle - half), *(middle + half)),
                        "cls": cls[:, row, column],
                        "obj": obj[0, row, column],
                    }
                )
    return cells


def reference_assignment(cells, truth, labels):
    """SimOTA, object by object and cell by cell: {cell: (object, IoU)}."""
    objects = [i for i, label in enumerate(labels) if label >= 0]
    inside, close = {}, {}
    for i in objects:
        x0, y0, x1, y1 = truth[i]
        for n, cell in enumerate(cells):
            x, y = cell["centre"]
            inside[i, n] = x0 < x < x1 and y0 < y < y1
            reach = 2.5 * cell["stride"]
            close[i, n] = abs(x - (x0 + x1) / 2) < reach and abs(y - (y0 + y1) / 2) < reach
    candidates = [n for n in range(len(cells)) if any(inside[i, n] or close[i, n] for i in objects)]
    cost, overlap, takers = {}, {}, {n: [] for n in candidates}
    for i in objects:
        for n in candidates:
            scores = [math.sqrt(sigmoid(logit) * sigmoid(cells[n]["obj"])) for logit in cells[n]["cls"]]
            overlap[i, n] = iou(cells[n]["box"], truth[i])
            cost[i, n] = sum(cross_entropy(p, float(c == labels[i])) for c, p in enumerate(scores))
            cost[i, n] += -3 * math.log(overlap[i, n] + 1e-7) + (0 if inside[i, n] and close[i, n] else 1e5)
        k = max(1, int(sum(sorted((overlap[i, n] for n in candidates), reverse=True)[:10])))
        for n in sorted(candidates, key=lambda n: cost[i, n])[:k]:
            takers[n].append(i)
    result = {}
    for n, own in takers.items():
        if own:
            best = own[0] if len(own) == 1 else min(objects, key=lambda i: cost[i, n])
            result[n] = best, overlap[best, n]
    return result


def reference_loss(outputs, truth, labels):
    box_loss = objectness = classes = 0.0
    n_answers = 0
    for picture in range(len(truth)):
        cells = reference_cells(outputs, picture)
        own_truth, own_labels = truth[picture].tolist(), labels[picture].tolist()
        assigned = reference_assignment(cells, own_truth, own_labels)
        n_answers += len(assigned)
        for n, cell in enumerate(cells):
            (x, y), p = cell["centre"], sigmoid(cell["obj"])
            ignored = any(
                label < 0 and box[0] < x < box[2] and box[1] < y < box[3]
                for box, label in zip(own_truth, own_labels, strict=True)
            )
            if n in assigned:
                i, overlap = assigned[n]
                objectness += cross_entropy(p, 1.0)
                box_loss += 5 * (1 - iou(cell["box"], own_truth[i]) ** 2)
                for c, logit in enumerate(cell["cls"]):
                    classes += cross_entropy(sigmoid(logit), overlap if c == own_labels[i] else 0.0)
            elif not ignored:
                objectness += cross_entropy(p, 0.0)
    return box_loss / n_answers, objectness / n_answers, classes / n_answers


@pytest.mark.parametrize("seed", range(4))
def test_loss_is_the_reference(seed):
    outputs = random_outputs(seed, len(TRUTH))
    found = yolox_loss(outputs, TRUTH, LABELS)
    parts = [float(found[name]) for name in ("box_loss", "objectness_loss", "class_loss")]
    assert parts == pytest.approx(reference_loss(outputs, TRUTH, LABELS), rel=1e-4)
    assert found["loss"].item() == pytest.approx(sum(parts), rel=1e-6)


def assignment(outputs, truth, labels):
    cls, reg, obj = (torch.cat([part.flatten(2) for part in parts], 2).mT for parts in zip(*outputs, strict=True))
    stride, corner = grid_cells(outputs)
    half = reg[..., 2:].exp() * stride / 2
    centre = reg[..., :2] * stride + corner
    boxes = torch.cat([centre - half, centre + half], dim=-1)
    return assign_cells((cls.sigmoid() * obj.sigmoid()).sqrt(), boxes, stride, corner, truth, labels)


@pytest.mark.parametrize("seed", range(4))
def test_cells_are_dealt_as_in_the_reference(seed):
    outputs = random_outputs(seed, len(TRUTH))
    found = assignment(outputs, TRUTH, LABELS)
    for picture in range(len(TRUTH)):
        cells = reference_cells(outputs, picture)
        expected = reference_assignment(cells, TRUTH[picture].tolist(), LABELS[picture].tolist())
        objects = found.object[picture]
        answering = torch.nonzero(objects >= 0)[:, 0].tolist()
        assert {n: int(objects[n]) for n in answering} == {n: i for n, (i, _) in expected.items()}
        for n, (_, overlap) in expected.items():
            assert float(found.iou[picture, n]) == pytest.approx(overlap, abs=1e-5)


def set_cell(outputs, level, row, column, box, n_classes=1):
    """A cell that predicts a box with certainty."""
    stride = STRIDES[level]
    x0, y0, x1, y1 = box
    with torch.no_grad():
        reg = [(x0 + x1) / 2 / stride - column, (y0 + y1) / 2 / stride - row]
        reg += [math.log((x1 - x0) / stride), math.log((y1 - y0) / stride)]
        outputs[level].reg[0, :, row, column] = torch.tensor(reg)
        outputs[level].cls[0, 0, row, column] = outputs[level].obj[0, 0, row, column] = 20.0


def silent_outputs():
    """Cells that predict 1 px at their corner, and nothing in it."""
    outputs = []
    for stride in STRIDES:
        side = SIDE_PX // stride
        reg = torch.zeros(1, 4, side, side)
        reg[:, 2:] = -math.log(stride)
        outputs.append(
            LevelOutputs(torch.full((1, 1, side, side), -20.0), reg, torch.full((1, 1, side, side), -20.0))
        )
    return outputs


def test_perfect_cells_cost_nothing():
    """Three exact boxes, IoU 1 each, make k = 3, so that they and no others answer: nothing is left to learn."""
    outputs, box = silent_outputs(), [20.0, 20, 60, 76]
    for row, column in ((5, 4), (5, 5), (6, 5)):
        set_cell(outputs, 0, row, column, box)
    found = yolox_loss(outputs, torch.tensor([[box]]), torch.zeros(1, 1, dtype=torch.int64))
    assert float(found["loss"]) < 1e-4


def test_the_worst_first_guess_still_gets_one_cell():
    found = assignment(silent_outputs(), torch.tensor([[[30.0, 30, 90, 90]]]), torch.zeros(1, 1, dtype=torch.int64))
    assert int((found.object >= 0).sum()) == 1


def test_a_silent_picture_costs_its_false_objectness_alone():
    outputs = silent_outputs()
    with torch.no_grad():
        outputs[1].obj[0, 0, 3, 3] = 0.0
    empty = torch.zeros(1, 2, 4), torch.full((1, 2), -1)
    found = yolox_loss(outputs, *empty)
    assert float(found["loss"]) == pytest.approx(math.log(2), rel=1e-5)
    assert float(found["box_loss"]) == float(found["class_loss"]) == 0


def test_nothing_is_taught_about_people_hardly_seen():
    outputs = silent_outputs()
    with torch.no_grad():
        outputs[1].obj[0, 0, 3, 3] = 9.0
    around, beside = torch.tensor([[[50.0, 50, 60, 60]]]), torch.tensor([[[57.0, 50, 60, 60]]])
    hardly = torch.full((1, 1), -1)
    assert float(yolox_loss(outputs, around, hardly)["loss"]) < 1e-4
    assert float(yolox_loss(outputs, beside, hardly)["loss"]) == pytest.approx(9.0, abs=1e-3)


def test_gradients_reach_every_output_even_of_empty_pictures():
    for truth, labels in ((TRUTH, LABELS), (torch.zeros(3, 1, 4), torch.full((3, 1), -1))):
        outputs = random_outputs(0, 3)
        yolox_loss(outputs, truth, labels)["loss"].backward()
        assert all(part.grad is not None and part.grad.isfinite().all() for level in outputs for part in level)


def test_half_precision_outputs_give_a_loss_in_single():
    outputs = [LevelOutputs(*(part.detach().bfloat16() for part in level)) for level in random_outputs(1, 3)]
    with torch.autocast("cpu", torch.bfloat16):
        found = yolox_loss(outputs, TRUTH, LABELS)
    exact = yolox_loss([LevelOutputs(*(part.float() for part in level)) for level in outputs], TRUTH, LABELS)
    assert found["loss"].dtype == torch.float32
    assert float(found["loss"]) == pytest.approx(float(exact["loss"]), rel=1e-6)


def test_iou_by_hand():
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10], [5, 5, 5, 5]])
    others = torch.tensor([[5.0, 0, 15, 10], [20, 20, 30, 30], [5, 5, 5, 5]])
    assert paired_iou(boxes, others).tolist() == pytest.approx([1 / 3, 0, 0])


@pytest.mark.mmdet
@pytest.mark.parametrize("seed", range(2))
def test_loss_is_that_of_mmdet(seed):
    from mmdet.models.dense_heads import YOLOXHead
    from mmengine.config import ConfigDict
    from mmengine.structures import InstanceData

    assigner = ConfigDict(type="SimOTAAssigner", center_radius=2.5)
    head = YOLOXHead(num_classes=3, in_channels=8, train_cfg=ConfigDict(assigner=assigner))
    outputs = random_outputs(seed, 2)
    truth, labels = TRUTH[[0, 1]], LABELS[[0, 1]]
    # mmdet knows nobody who may be found or not.
    boxes = truth * (labels >= 0)[..., None]
    instances = [
        InstanceData(bboxes=own[known >= 0], labels=known[known >= 0])
        for own, known in zip(truth, labels, strict=True)
    ]
    shape = {"img_shape": (SIDE_PX, SIDE_PX)}
    expected = head.loss_by_feat(*map(list, zip(*outputs, strict=True)), instances, [shape, shape])
    found = yolox_loss(outputs, boxes, labels)
    for ours, theirs in (("box_loss", "loss_bbox"), ("objectness_loss", "loss_obj"), ("class_loss", "loss_cls")):
        assert float(found[ours]) == pytest.approx(float(expected[theirs]), rel=1e-4)
