"""The labels of a clip, as the two published layouts write them."""

from pathlib import Path

import numpy as np

from savg_ray.dataset.annotations import Annotations
from savg_ray.files import written_at_once
from savg_ray.spatial.ambisonics import rotated_azimuth_deg
from savg_ray.spatial.perspective import View
from savg_ray.spatial.screen import screen_position

_DEGREES_HEADER = "frame,class,source,azimuth,distance,onscreen"


def write_pixel_labels(path: Path, rows: Annotations, yaw_deg: int, view: View) -> None:
    """Lines ``frame, class, x px, y px`` of what is in the picture, without header.

    Args:
        path: of the csv file.
        rows: labels of the window, frames counted from its start.
        yaw_deg: viewing direction, positive to the right.
        view: the picture, unpadded.
    """
    on_screen, x_px, y_px = screen_position(rotated_azimuth_deg(rows.azimuth_deg, yaw_deg), rows.elevation_deg, view)
    table = np.stack([rows.frame, rows.label, x_px, y_px], axis=1)[on_screen]
    _write_lines(path, [",".join(map(str, line)) for line in table.tolist()])


def write_degree_labels(path: Path, rows: Annotations, yaw_deg: int, view: View) -> None:
    """Lines ``frame, class, source, azimuth, distance, onscreen`` of everything, with header.

    The azimuth is folded to the front, since stereo cannot tell front from back. Labels of the old format, which
    have no distance, cannot be written in this layout.
    """
    azimuth = rotated_azimuth_deg(rows.azimuth_deg, yaw_deg)
    on_screen, _, _ = screen_position(azimuth, rows.elevation_deg, view)
    columns = (rows.frame, rows.label, rows.source, folded_azimuth_deg(azimuth), rows.distance_cm, on_screen)
    table = np.stack([np.asarray(column).astype(np.int64) for column in columns], axis=1)
    _write_lines(path, [_DEGREES_HEADER, *(",".join(map(str, line)) for line in table.tolist())])


def folded_azimuth_deg(azimuth_deg: np.ndarray) -> np.ndarray:
    """Azimuths -180..180 with the back mirrored to the front, -90..90: 100 becomes 80, and -170 becomes -10."""
    back = np.where(azimuth_deg >= 0, 180, -180) - azimuth_deg
    return np.where(np.abs(azimuth_deg) > 90, back, azimuth_deg)


def _write_lines(path: Path, lines: list[str]) -> None:
    with written_at_once(path) as part:
        part.write_text("".join(f"{line}\n" for line in lines))
