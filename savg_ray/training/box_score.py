"""How many of the people in pictures were found, and how many of the finds are people."""

from dataclasses import dataclass, field

import numpy as np

IOU_OF_A_FIND = 0.5


@dataclass
class BoxScore:
    """Counts over pictures.

    Attributes:
        found: people found, at an IoU of at least 0.5.
        missed: people not found.
        false: boxes that find nobody.
        ious: of the people found.
    """

    found: int = 0
    missed: int = 0
    false: int = 0
    ious: list[float] = field(default_factory=list)

    def update(self, boxes: np.ndarray, truth: np.ndarray, hardly_seen: np.ndarray) -> None:
        """Take in one picture.

        Every box in turn finds the person with whom it overlaps most among those not yet found. Boxes that find
        nobody are false, except those that lie at least half in the box of a person who is hardly seen.

        Args:
            boxes: (n, 4), x0, y0, x1, y1 in px, in falling score.
            truth: (m, 4), people to be found.
            hardly_seen: (k, 4), people who may be found or not.
        """
        left = [np.asarray(box, np.float64) for box in truth]
        for box in np.asarray(boxes, np.float64):
            ious = [_shared(box, person) / _union(box, person) for person in left]
            if ious and max(ious) >= IOU_OF_A_FIND:
                best = int(np.argmax(ious))
                self.found += 1
                self.ious.append(float(ious[best]))
                del left[best]
            elif not any(_shared(box, person) >= _area(box) / 2 for person in hardly_seen):
                self.false += 1
        self.missed += len(left)

    def values(self) -> dict[str, float]:
        """Recall, precision, their harmonic mean, and the mean IoU of finds; 0 where there is nothing to divide."""
        people, boxes = self.found + self.missed, self.found + self.false
        return {
            "recall": self.found / max(people, 1),
            "precision": self.found / max(boxes, 1),
            "f_score": 2 * self.found / max(people + boxes, 1),
            "mean_iou": float(np.mean(self.ious)) if self.ious else 0.0,
        }


def _area(box: np.ndarray) -> float:
    return float(np.prod(box[2:] - box[:2]))


def _shared(box: np.ndarray, other: np.ndarray) -> float:
    return float(np.prod(np.maximum(np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2]), 0)))


def _union(box: np.ndarray, other: np.ndarray) -> float:
    return _area(box) + _area(other) - _shared(box, other)
