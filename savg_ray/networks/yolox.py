"""YOLOX-tiny: boxes, scores and classes of everyday objects in pictures (Ge et al. 2021)."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.ops import batched_nms

from savg_ray.errors import ClipError
from savg_ray.networks.convolution import convolve
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
_STRIDES = (8, 16, 32)
_HEAD_WIDTH = 96


class Detections(NamedTuple):
    """One picture's detections in falling score: boxes (n, 4) x0, y0, x1, y1 in px, scores (n,), labels (n,)."""

    boxes_px: torch.Tensor
    scores: torch.Tensor
    labels: torch.Tensor


class LevelOutputs(NamedTuple):
    """Head outputs of one stride: classes (N, 80, h, w), box (N, 4, h, w), objectness (N, 1, h, w), not activated."""

    cls: torch.Tensor
    reg: torch.Tensor
    obj: torch.Tensor


class YoloxTiny(nn.Module):
    """The detector of the official evaluation; the state dict has mmdet's keys."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = _Backbone()
        self.neck = _Neck()
        self.bbox_head = _Head()

    @torch.no_grad()
    def forward(self, frames: np.ndarray | torch.Tensor) -> list[Detections]:
        """Detections of each picture of uint8 BGR ``frames`` (N, H, W, 3), down to score 0.01, after NMS.

        Boxes are in pixels of the given picture, not clipped to it; float32, on the device of the weights.
        """
        if len(frames) == 0:
            return []
        weight = next(self.parameters())
        pictures, scale_wh = preprocess(frames)
        detections: list[Detections] = []
        for few in pictures.split(_PICTURES_PER_CPU_FORWARD if weight.device.type == "cpu" else len(pictures)):
            detections += decode(self.head_outputs(few.to(weight.device).to(weight.dtype)), scale_wh)
        return detections

    def head_outputs(self, x: torch.Tensor) -> list[LevelOutputs]:
        """Raw outputs at strides 8, 16, 32 of pictures (N, 3, H, W), BGR 0..255, H and W multiples of 32."""
        return self.bbox_head(self.neck(self.backbone(x)))


def preprocess(frames: np.ndarray | torch.Tensor) -> tuple[torch.Tensor, tuple[float, float]]:
    """Fit uint8 BGR pictures (N, H, W, 3) into 416 x 416.

    Returns uint8 (N, 3, 416, 416), scaled with kept ratio (OpenCV bilinear) and padded right and below with 114, on
    the CPU; and the scale factors (width, height), new size over old. Values stay 0..255: no mean, no deviation. The
    memory order stays channels last, in which the convolutions run nearly twice as fast on a CPU.

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
    scale = SIDE_PX / max(height, width)
    new_width, new_height = int(width * scale + 0.5), int(height * scale + 0.5)
    canvas = np.full((n, SIDE_PX, SIDE_PX, 3), _PAD_VALUE, np.uint8)
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
    # Boxes are computed for the few cells that pass, not for all 3549 of each picture.
    picture, cell = torch.nonzero(scores >= SCORE_FLOOR, as_tuple=True)
    regression = torch.cat([o.reg.flatten(2) for o in outputs], dim=2)[picture, :, cell].float()
    stride, corner = (part[cell] for part in _cells(outputs))
    centre = regression[:, :2] * stride + corner
    half = regression[:, 2:].exp() * stride / 2
    boxes = torch.cat([centre - half, centre + half], dim=1) / _corner_scale(scale_wh, centre.device)
    counts = torch.bincount(picture, minlength=len(scores)).tolist()
    candidates = (part.split(counts) for part in (boxes, scores[picture, cell], labels[picture, cell]))
    return [_suppressed(*one) for one in zip(*candidates, strict=True)]


def _corner_scale(scale_wh: tuple[float, float], device: torch.device) -> torch.Tensor:
    return torch.tensor(scale_wh * 2, dtype=torch.float32, device=device)


def person_boxes(detections: Detections) -> torch.Tensor:
    """Boxes (n, 4) of the persons (class 0) among one picture's detections with score above 0.3."""
    boxes, scores, labels = detections
    return boxes[(labels == PERSON) & (scores > PERSON_SCORE)]


def _best_class(cls: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    logits, labels = cls.max(dim=1)
    return logits.flatten(1), labels.flatten(1)


def _cells(outputs: Sequence[LevelOutputs]) -> tuple[torch.Tensor, torch.Tensor]:
    strides, corners = [], []
    for stride, level in zip(_STRIDES, outputs, strict=True):
        height, width = level.obj.shape[2:]
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        corners.append(torch.stack([x, y], dim=2).reshape(-1, 2) * stride)
        strides.append(torch.full((height * width, 1), stride))
    device = outputs[0].obj.device
    return torch.cat(strides).float().to(device), torch.cat(corners).float().to(device)


def _suppressed(boxes: torch.Tensor, scores: torch.Tensor, labels: torch.Tensor) -> Detections:
    kept = batched_nms(boxes, scores, labels, NMS_IOU)
    return Detections(boxes[kept], scores[kept], labels[kept])


class _ConvUnit(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(out_channels, eps=1e-3, momentum=0.03)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.silu(self.bn(convolve(self.conv, x)), inplace=True)


class _Focus(nn.Module):
    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = _ConvUnit(4 * in_channels, out_channels, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        even, odd = x[..., ::2], x[..., 1::2]
        corners = (even[..., ::2, :], even[..., 1::2, :], odd[..., ::2, :], odd[..., 1::2, :])
        return self.conv(torch.cat(corners, dim=1))


class _Bottleneck(nn.Module):
    def __init__(self, channels: int, add: bool) -> None:
        super().__init__()
        self.conv1 = _ConvUnit(channels, channels, 1)
        self.conv2 = _ConvUnit(channels, channels, 3)
        self.add = add

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv2(self.conv1(x))
        return x + y if self.add else y


class _Csp(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, n_blocks: int = 1, add: bool = False) -> None:
        super().__init__()
        middle = out_channels // 2
        self.main_conv = _ConvUnit(in_channels, middle, 1)
        self.short_conv = _ConvUnit(in_channels, middle, 1)
        self.final_conv = _ConvUnit(2 * middle, out_channels, 1)
        self.blocks = nn.Sequential(*(_Bottleneck(middle, add) for _ in range(n_blocks)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.final_conv(torch.cat([self.blocks(self.main_conv(x)), self.short_conv(x)], dim=1))


class _SpatialPyramidPool(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = _ConvUnit(channels, channels // 2, 1)
        self.conv2 = _ConvUnit(2 * channels, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv1(x)
        pooled = [F.max_pool2d(x, size, stride=1, padding=size // 2) for size in (5, 9, 13)]
        return self.conv2(torch.cat([x, *pooled], dim=1))


class _Backbone(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = _Focus(3, 24)
        self.stage1 = nn.Sequential(_ConvUnit(24, 48, 3, 2), _Csp(48, 48, 1, add=True))
        self.stage2 = nn.Sequential(_ConvUnit(48, 96, 3, 2), _Csp(96, 96, 3, add=True))
        self.stage3 = nn.Sequential(_ConvUnit(96, 192, 3, 2), _Csp(192, 192, 3, add=True))
        self.stage4 = nn.Sequential(_ConvUnit(192, 384, 3, 2), _SpatialPyramidPool(384), _Csp(384, 384))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        fine = self.stage2(self.stage1(self.stem(x)))
        middle = self.stage3(fine)
        return fine, middle, self.stage4(middle)


class _Neck(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.reduce_layers = nn.ModuleList([_ConvUnit(384, 192, 1), _ConvUnit(192, 96, 1)])
        self.top_down_blocks = nn.ModuleList([_Csp(384, 192), _Csp(192, 96)])
        self.downsamples = nn.ModuleList([_ConvUnit(96, 96, 3, 2), _ConvUnit(192, 192, 3, 2)])
        self.bottom_up_blocks = nn.ModuleList([_Csp(192, 192), _Csp(384, 384)])
        self.out_convs = nn.ModuleList(_ConvUnit(channels, _HEAD_WIDTH, 1) for channels in (96, 192, 384))

    def forward(self, levels: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> list[torch.Tensor]:
        fine, middle, coarse = levels
        coarse = self.reduce_layers[0](coarse)
        middle = self.top_down_blocks[0](torch.cat([F.interpolate(coarse, scale_factor=2), middle], dim=1))
        middle = self.reduce_layers[1](middle)
        fine = self.top_down_blocks[1](torch.cat([F.interpolate(middle, scale_factor=2), fine], dim=1))
        middle = self.bottom_up_blocks[0](torch.cat([self.downsamples[0](fine), middle], dim=1))
        coarse = self.bottom_up_blocks[1](torch.cat([self.downsamples[1](middle), coarse], dim=1))
        return [conv(x) for conv, x in zip(self.out_convs, (fine, middle, coarse), strict=True)]


class _Head(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.multi_level_cls_convs = nn.ModuleList(_two_convs() for _ in _STRIDES)
        self.multi_level_reg_convs = nn.ModuleList(_two_convs() for _ in _STRIDES)
        self.multi_level_conv_cls = nn.ModuleList(nn.Conv2d(_HEAD_WIDTH, N_CLASSES, 1) for _ in _STRIDES)
        self.multi_level_conv_reg = nn.ModuleList(nn.Conv2d(_HEAD_WIDTH, 4, 1) for _ in _STRIDES)
        self.multi_level_conv_obj = nn.ModuleList(nn.Conv2d(_HEAD_WIDTH, 1, 1) for _ in _STRIDES)

    def forward(self, levels: list[torch.Tensor]) -> list[LevelOutputs]:
        outputs = []
        for i, x in enumerate(levels):
            cls, reg = self.multi_level_cls_convs[i](x), self.multi_level_reg_convs[i](x)
            convs = (self.multi_level_conv_cls[i], self.multi_level_conv_reg[i], self.multi_level_conv_obj[i])
            outputs.append(LevelOutputs(*map(convolve, convs, (cls, reg, reg))))
        return outputs


def _two_convs() -> nn.Sequential:
    return nn.Sequential(_ConvUnit(_HEAD_WIDTH, _HEAD_WIDTH, 3), _ConvUnit(_HEAD_WIDTH, _HEAD_WIDTH, 3))


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
            exceptions[key] = normal(key) * np.float32(gain / np.sqrt(_HEAD_WIDTH))
        key = f"bbox_head.multi_level_conv_cls.{level}.bias"
        exceptions[key] = np.float32(0.05) * normal(key) - np.float32(2)
        exceptions[key][0] = FILL_CLS0_BIAS
        exceptions[f"bbox_head.multi_level_conv_reg.{level}.bias"] = np.array(FILL_REG_BIAS, np.float32)
        exceptions[f"bbox_head.multi_level_conv_obj.{level}.bias"] = np.array([obj_bias], np.float32)
    return exceptions
