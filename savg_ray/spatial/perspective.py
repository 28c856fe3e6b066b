"""360° pictures to flat ones: looking around in an equirectangular picture."""

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

# 36 yaws of 10 degrees and some to spare; a map of 256x144 takes 221 KB.
_MAPS_KEPT = 64


@dataclass(frozen=True)
class View:
    """A flat picture that looks at the horizon, its pixels square.

    Attributes:
        width_px, height_px: of the picture.
        hfov_deg: horizontal field of view, from the centre of the first column to that of the last.

    Raises:
        ValueError: a picture below 2x2 pixels, or a field of view that a flat picture cannot hold.
    """

    width_px: int = 256
    height_px: int = 144
    hfov_deg: float = 100.0

    def __post_init__(self) -> None:
        if min(self.width_px, self.height_px) < 2 or not 0 < self.hfov_deg < 180:
            raise ValueError(f"a flat picture has at least 2x2 pixels and less than 180 degrees, not {self}")

    @property
    def right_edge(self) -> float:
        """Where the last column is, on a plane at distance 1."""
        return math.tan(math.radians(self.hfov_deg / 2))

    @property
    def top_edge(self) -> float:
        """Where the first row is, on a plane at distance 1."""
        return self.right_edge * self.height_px / self.width_px

    @property
    def vfov_deg(self) -> float:
        """Vertical field of view: 67.67 for 256x144 at 100 degrees."""
        return 2 * math.degrees(math.atan(self.top_edge))


def picture_directions(view: View) -> tuple[np.ndarray, np.ndarray]:
    """Direction of each pixel: degrees to the right and upwards, float64 (height, width) each.

    The geometry of ``py360convert.e2p`` at pitch 0: columns and rows are evenly spaced on a plane at distance 1, the
    outermost ones lying on the edges of the field of view.
    """
    x = np.linspace(-view.right_edge, view.right_edge, view.width_px)[None]
    y = np.linspace(view.top_edge, -view.top_edge, view.height_px)[:, None]
    right = np.broadcast_to(np.degrees(np.arctan(x)), (view.height_px, view.width_px))
    return right, np.degrees(np.arctan2(y, np.hypot(x, 1)))


def source_pixels(view: View, source_width_px: int, source_height_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Column and row, float64 (height, width), where each pixel lies in an equirectangular picture, at yaw 0."""
    right, up = picture_directions(view)
    column = (right / 360 + 0.5) * source_width_px - 0.5
    row = (0.5 - up / 180) * source_height_px - 0.5
    return column, row


class Projector:
    """Looks around in equirectangular pictures of one size, bilinearly.

    Maps of the yaws used last are kept, shared by all projectors of a process.

    Args:
        view: the flat picture.
        source_width_px, source_height_px: size of the equirectangular pictures.
    """

    def __init__(self, view: View, source_width_px: int, source_height_px: int) -> None:
        self.view = view
        self._size = source_height_px, source_width_px

    def project(self, picture: np.ndarray, yaw_deg: float) -> np.ndarray:
        """What is seen looking ``yaw_deg`` to the right.

        Args:
            picture: uint8 (source height, source width, 3).
            yaw_deg: 0 looks at the middle of the picture, positive to the right of it.

        Returns:
            uint8 (height, width, 3).

        Raises:
            ValueError: a picture of another size or dtype.
        """
        if picture.shape[:2] != self._size or picture.dtype != np.uint8:
            height, width = self._size
            raise ValueError(f"the picture must be uint8 ({height}, {width}, 3), not {picture.dtype} {picture.shape}")
        places, fractions = _remap(self.view, self._size, yaw_deg % 360)
        return cv2.remap(picture, places, fractions, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def pad_to_square(picture: np.ndarray, size_px: int = 256) -> np.ndarray:
    """The picture, (height, size_px, 3), between black rows above and below, (size_px, size_px, 3).

    Raises:
        ValueError: a picture of another width, or one that is too high.
    """
    height, width = picture.shape[:2]
    if width != size_px or height > size_px:
        raise ValueError(f"only rows are added: {width}x{height} cannot become {size_px}x{size_px}")
    square = np.zeros((size_px, *picture.shape[1:]), picture.dtype)
    above = (size_px - height) // 2
    square[above : above + height] = picture
    return square


@lru_cache(_MAPS_KEPT)
def _remap(view: View, source_size: tuple[int, int], yaw_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """Whole source pixels int16 (height, width, 2), and the index of their fractions in 32nds, uint16."""
    height, width = source_size
    column, row = source_pixels(view, width, height)
    column = (column + yaw_deg / 360 * width) % width
    # Columns wrap around, rows do not.
    row = row.clip(0, height - 1)
    return cv2.convertMaps(column.astype(np.float32), row.astype(np.float32), cv2.CV_16SC2)
