"""Changed pictures of people, with their boxes: mirrored, enlarged, coloured, softened."""

from dataclasses import dataclass

import cv2
import numpy as np

from savg_ray.training.boxes import HARDLY_SEEN, LEAST_SIDE_PX

LEAST_AREA = 0.3
"""People of whose box an enlarged picture keeps less are hardly seen there."""

_SOFTEST = 4.0
_GREY = (114, 114, 114)


@dataclass(frozen=True)
class Changes:
    """How pictures may be changed; the defaults leave them as they are.

    Attributes:
        mirror: half of them.
        zoom: up to this many times as large or as small; what no longer fits is cut off, what is missing grey.
        colour: every channel becomes up to this share brighter or darker, and all of them together once more.
        soften: share of pictures that become up to four times coarser.
    """

    mirror: bool = False
    zoom: float = 1.0
    colour: float = 0.0
    soften: float = 0.0


def change_picture(
    picture: np.ndarray, boxes_px: np.ndarray, labels: np.ndarray, changes: Changes, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A changed picture of the same size.

    Args:
        picture: uint8 (H, W, 3), without dark bars.
        boxes_px: float (n, 4), x0, y0, x1, y1.
        labels: int64 (n,).
        changes: what may happen.
        random: decides what does.

    Returns:
        The picture, and the boxes and labels of those of whom it shows anything; of whom it shows but little have
        label -1.
    """
    height, width = picture.shape[:2]
    flip = changes.mirror and bool(random.integers(2))
    zoom = changes.zoom ** random.uniform(-1, 1)
    left, top = (random.uniform(*sorted((0, side - side / zoom))) for side in (width, height))
    if zoom != 1:
        # Pixels have their centres half a pixel from their edges.
        matrix = np.array([[zoom, 0, (0.5 - left) * zoom - 0.5], [0, zoom, (0.5 - top) * zoom - 0.5]])
        picture = cv2.warpAffine(picture, matrix, (width, height), borderValue=_GREY)
    boxes = (boxes_px - np.array([left, top] * 2)) * zoom
    if flip:
        picture = np.ascontiguousarray(picture[:, ::-1])
        boxes[:, [0, 2]] = width - boxes[:, [2, 0]]
    if random.uniform() < changes.soften:
        picture = _softened(picture, random.uniform(1, _SOFTEST))
    if changes.colour:
        gains = random.uniform(1 - changes.colour, 1 + changes.colour, 4)
        picture = np.clip(picture * (gains[:3] * gains[3]), 0, 255).astype(np.uint8)
    return picture, *_cut_off(boxes, labels, width, height)


def _softened(picture: np.ndarray, factor: float) -> np.ndarray:
    height, width = picture.shape[:2]
    coarse = cv2.resize(picture, (round(width / factor), round(height / factor)), interpolation=cv2.INTER_AREA)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)


def _cut_off(boxes: np.ndarray, labels: np.ndarray, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    inside = np.clip(boxes, 0, np.array([width, height] * 2))
    sides, whole = inside[:, 2:] - inside[:, :2], boxes[:, 2:] - boxes[:, :2]
    hardly = (sides.prod(axis=1) < LEAST_AREA * whole.prod(axis=1)) | (sides.min(axis=1) < LEAST_SIDE_PX)
    shown = (sides > 0).all(axis=1)
    return inside[shown], np.where(hardly, HARDLY_SEEN, labels)[shown]
