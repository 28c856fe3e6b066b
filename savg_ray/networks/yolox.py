"""YOLOX: boxes, scores and classes of objects in pictures (Ge et al. 2021); tiny, or smaller for people alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import nn
from torchvision.ops import batched_nms

from savg_ray.errors import ClipError
from savg_ray.networks.yolox_parts import STRIDES, Backbone, Head, LevelOutputs, Neck
from savg_ray.weights.fill import normal_array

N_CLASSES = 80
PERSON = 0
SIDE_PX = 416
SCORE_FLOOR = 0.01
PERSON_SCORE = 0.3
NMS_IOU = 0.65

FILL_SALT = 4003
FILL_GAIN = 2**0.5
FILL_CLS0_BIAS = 0.5
FILL_OBJ_BIAS = (-1.6, -1.9, -3.6)
FILL_REG_BIAS = (0.0, 0.0, 1.0, 1.4)

_PAD_VALUE = 114
# The activations of more pictures than these leave the processor's cache between two layers.
_PICTURES_PER_CPU_FORWARD = 4
_STAGE_CHANNELS = (64, 128, 256, 512, 1024)
_STAGE_BLOCKS = (3, 9, 9, 3)
_NECK_BLOCKS = 3
_NECK_WIDTH = 256


@dataclass(frozen=True)
class YoloxConfig:
    """The size of a detector; the defaults are those of YOLOX-tiny.

    Attributes:
        width: channels, as a share of YOLOX-L's.
        depth: bottlenecks, as a share of YOLOX-L's, at least one a block.
        n_classes: of the objects; class 0 is the person.
        side_px: of the square that pictures are fitted into, a multiple of 32.

    Raises:
        ValueError: a size that no detector has.
    """

    width: float = 0.375
    depth: float = 0.33
    n_classes: int = N_CLASSES
    side_px: int = SIDE_PX

    def __post_init__(self) -> None:
        if self.width * _STAGE_CHANNELS[0] < 2 or self.depth <= 0 or self.n_classes < 1:
            raise ValueError(f"a detector has a width of 1/32 or more, a positive depth and a class, not {self}")
        if self.side_px < STRIDES[-1] or self.side_px % STRIDES[-1]:
            raise ValueError(f"side_px must be a multiple of {STRIDES[-1]}, not {self.side_px}")

    @classmethod
    def nano(cls) -> "YoloxConfig":
        """People alone, in pictures of 256 x 256 that need no scaling: a third of tiny's channels."""
        return cls(width=0.125, n_classes=1, side_px=256)

    def channels(self, channels: int) -> int:
        """How many of YOLOX-L's channels there are at this width."""
        return int(channels * self.width)

    def blocks(self, n_blocks: int) -> int:
        """How many of YOLOX-L's bottlenecks there are at this depth."""
        return max(round(n_blocks * self.depth), 1)


class Detections(NamedTuple):
    """One picture's detections in falling score: boxes (n, 4) x0, y0, x1, y1 in px, scores (n,), labels (n,)."""

    boxes_px: torch.Tensor
    scores: torch.Tensor
    labels: torch.Tensor


class Yolox(nn.Module):
    """A detector; the state dict has mmdet's keys.

    Args:
        config: its size.
    """

    def __init__(self, config: YoloxConfig) -> None:
        super().__init__()
        self.config = config
        channels = tuple(map(config.channels, _STAGE_CHANNELS))
        width = config.channels(_NECK_WIDTH)
        self.backbone = Backbone(channels, tuple(map(config.blocks, _STAGE_BLOCKS)))
        self.neck = Neck(channels[2:], config.blocks(_NECK_BLOCKS), width)
        self.bbox_head = Head(width, config.n_classes)

    def forward(self, frames: np.ndarray | torch.Tensor) -> list[Detections]:
        """As `detect`."""
        return self.detect(frames)

    @torch.no_grad()
    def detect(self, frames: np.ndarray | torch.Tensor) -> list[Detections]:
        """Detections of each picture of uint8 BGR ``frames`` (N, H, W, 3), down to score 0.01, after NMS.

        Boxes are in pixels of the given picture, not clipped to it; float32, on the device of the weights.
        """
        if len(frames) == 0:
            return []
        weight = next(self.parameters())
        pictures, scale_wh = preprocess(frames, self.config.side_px)
        detections: list[Detections] = []
        for few in pictures.split(_PICTURES_PER_CPU_FORWARD if weight.device.type == "cpu" else len(pictures)):
            detections += decode(self.head_outputs(few.to(weight.device).to(weight.dtype)), scale_wh)
        return detections

    def head_outputs(self, x: torch.Tensor) -> list[LevelOutputs]:
        """Raw outputs at strides 8, 16, 32 of pictures (N, 3, H, W), BGR 0..255, H and W multiples of 32."""
        return self.bbox_head(self.neck(self.backbone(x)))


class YoloxTiny(Yolox):
    """The detector of the official evaluation."""

    def __init__(self) -> None:
        super().__init__(YoloxConfig())


def preprocess(frames: np.ndarray | torch.Tensor, side_px: int = SIDE_PX) -> tuple[torch.Tensor, tuple[float, float]]:
    """Fit uint8 BGR pictures (N, H, W, 3) into a square.

    Returns uint8 (N, 3, side_px, side_px), scaled with kept ratio (OpenCV bilinear) and padded right and below with
    114, on the CPU; and the scale factors (width, height), new size over old. Values stay 0..255: no mean, no
    deviation. The memory order stays channels last, in which the convolutions run nearly twice as fast on a CPU.

    Raises:
        ClipError: ``bad_frames`` for another type or shape.
    """
    frames = frames.cpu().numpy() if isinstance(frames, torch.Tensor) else frames
    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8:
        raise ClipError(
            "bad_frames",
            f"YOLOX needs uint8 BGR frames (N, H, W, 3), not {frames.dtype} {frames.shape}: convert them first.",
        )
    n, height, width, _ = frames.shape
    scale = side_px / max(height, width)
    new_width, new_height = int(width * scale + 0.5), int(height * scale + 0.5)
    canvas = np.full((n, side_px, side_px, 3), _PAD_VALUE, np.uint8)
    for place, frame in zip(canvas, frames, strict=True):
        place[:new_height, :new_width] = cv2.resize(frame, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
    return torch.from_numpy(canvas).permute(0, 3, 1, 2), (new_width / width, new_height / height)


def decode(outputs: Sequence[LevelOutputs], scale_wh: tuple[float, float]) -> list[Detections]:
    """Detections per picture from head outputs, in px of the pictures before scaling by ``scale_wh``.

    Each cell keeps its best class at score sigmoid(class) * sigmoid(objectness) >= 0.01; a box has its centre at
    cell * stride + out * stride and its size at exp(out) * stride; then class-wise NMS at IoU 0.65. In float32.
    """
    logits, labels = (torch.cat(parts, dim=1) for parts in zip(*(_best_class(o.cls) for o in outputs), strict=True))
    objectness = torch.cat([o.obj.flatten(1) for o in outputs], dim=1)
    scores = logits.float().sigmoid() * objectness.float().sigmoid()
    # Boxes are computed for the few cells that pass, not for all of each picture.
    picture, cell = torch.nonzero(scores >= SCORE_FLOOR, as_tuple=True)
    regression = torch.cat([o.reg.flatten(2) for o in outputs], dim=2)[picture, :, cell].float()
    stride, corner = (part[cell] for part in grid_cells(outputs))
    boxes = cell_boxes(regression, stride, corner) / _corner_scale(scale_wh, corner.device)
    counts = torch.bincount(picture, minlength=len(scores)).tolist()
    candidates = (part.split(counts) for part in (boxes, scores[picture, cell], labels[picture, cell]))
    return [_suppressed(*one) for one in zip(*candidates, strict=True)]


def grid_cells(outputs: Sequence[LevelOutputs]) -> tuple[torch.Tensor, torch.Tensor]:
    """Strides (n, 1) and upper left corners (n, 2), x and y in px, of the cells of all levels, row by row."""
    strides, corners = [], []
    for stride, level in zip(STRIDES, outputs, strict=True):
        height, width = level.obj.shape[2:]
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        corners.append(torch.stack([x, y], dim=2).reshape(-1, 2) * stride)
        strides.append(torch.full((height * width, 1), stride))
    device = outputs[0].obj.device
    return torch.cat(strides).float().to(device), torch.cat(corners).float().to(device)


def cell_boxes(regression: torch.Tensor, stride: torch.Tensor, corner: torch.Tensor) -> torch.Tensor:
    """Boxes (..., n, 4) x0, y0, x1, y1 in px that cells, as `grid_cells` gives them, mean by (..., n, 4) outputs."""
    centre = regression[..., :2] * stride + corner
    half = regression[..., 2:].exp() * stride / 2
    return torch.cat([centre - half, centre + half], dim=-1)


def _corner_scale(scale_wh: tuple[float, float], device: torch.device) -> torch.Tensor:
    return torch.tensor(scale_wh * 2, dtype=torch.float32, device=device)


def person_boxes(detections: Detections) -> torch.Tensor:
    """Boxes (n, 4) of the persons (class 0) among one picture's detections with score above 0.3."""
    boxes, scores, labels = detections
    return boxes[(labels == PERSON) & (scores > PERSON_SCORE)]


def _best_class(cls: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    logits, labels = cls.max(dim=1)
    return logits.flatten(1), labels.flatten(1)


def _suppressed(boxes: torch.Tensor, scores: torch.Tensor, labels: torch.Tensor) -> Detections:
    kept = batched_nms(boxes, scores, labels, NMS_IOU)
    return Detections(boxes[kept], scores[kept], labels[kept])


def fill_exceptions(module: nn.Module) -> dict[str, np.ndarray]:
    """State dict keys whose arrays ``fill_deterministic`` must take from here, so that filled nets detect persons."""
    state = module.state_dict()

    def normal(key: str) -> np.ndarray:
        return normal_array(key, tuple(state[key].shape), FILL_SALT)

    stem = "backbone.stem.conv.conv.weight"
    exceptions = {stem: normal(stem) * np.float32(0.02 / np.sqrt(108))}
    for level, obj_bias in enumerate(FILL_OBJ_BIAS):
        for kind, gain in (("cls", 0.08), ("reg", 0.04), ("obj", 0.2)):
            key = f"bbox_head.multi_level_conv_{kind}.{level}.weight"
            exceptions[key] = normal(key) * np.float32(gain / np.sqrt(state[key].shape[1]))
        key = f"bbox_head.multi_level_conv_cls.{level}.bias"
        exceptions[key] = np.float32(0.05) * normal(key) - np.float32(2)
        exceptions[key][0] = FILL_CLS0_BIAS
        exceptions[f"bbox_head.multi_level_conv_reg.{level}.bias"] = np.array(FILL_REG_BIAS, np.float32)
        exceptions[f"bbox_head.multi_level_conv_obj.{level}.bias"] = np.array([obj_bias], np.float32)
    return exceptions
