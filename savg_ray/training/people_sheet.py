"""Pictures of people with boxes around them, side by side, for people to look at."""

from pathlib import Path

import cv2
import numpy as np

_TRUTH_COLOUR, _FOUND_COLOUR = (0, 200, 0), (0, 0, 255)
_IN_A_ROW = 4


def with_boxes(picture: np.ndarray, truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    """A picture, uint8 RGB (H, W, 3), with the true boxes (m, 4) green and those found (n, 4) red; as BGR."""
    drawn = np.ascontiguousarray(picture[..., ::-1])
    for boxes, colour in ((truth, _TRUTH_COLOUR), (found, _FOUND_COLOUR)):
        for x0, y0, x1, y1 in np.rint(boxes).astype(int).tolist():
            cv2.rectangle(drawn, (x0, y0), (x1 - 1, y1 - 1), colour, 1)
    return drawn


def write_sheet(path: Path, pictures: list[np.ndarray]) -> None:
    """Write pictures, uint8 BGR, four in a row; those of another size than the first are left out."""
    alike = [picture for picture in pictures if picture.shape == pictures[0].shape]
    alike += [np.zeros_like(alike[0])] * (-len(alike) % _IN_A_ROW)
    rows = [np.hstack(alike[i : i + _IN_A_ROW]) for i in range(0, len(alike), _IN_A_ROW)]
    cv2.imwrite(str(path), np.vstack(rows))
