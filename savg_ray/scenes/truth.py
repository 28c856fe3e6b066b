"""What is known of a scene: labels as STARSS23 writes them, and the exact truth behind them."""

import math
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from savg_ray.scenes.script import LABEL_RATE_HZ, Scene, SoundEvent, direction_deg, emitter_place


class PersonBox(Protocol):
    """A person's box in equirectangular pixels; x1 exceeds the width where the box crosses the seam."""

    person: int
    x0_px: float
    y0_px: float
    x1_px: float
    y1_px: float


class Painter(Protocol):
    """What draws a scene (`savg_ray.scenes.pictures.painter.ScenePainter`)."""

    def paint(self, time_s: float) -> np.ndarray:
        """The picture, uint8 (H, W, 3)."""
        ...

    def boxes(self, time_s: float) -> list[PersonBox]:
        """The box of each person."""
        ...

    def body_points(self, person: int, time_s: float) -> np.ndarray:
        """Spheres that cover the body: float64 (K, 4), centre and radius in metres."""
        ...


def n_label_frames(scene: Scene) -> int:
    """Whole tenths of a second."""
    return math.floor(scene.duration_s * LABEL_RATE_HZ + 1e-6)


def sounding_frames(event: SoundEvent, n_frames: int) -> range:
    """The label frames in which an event sounds, if only for a part of them."""
    first = math.floor(event.start_s * LABEL_RATE_HZ + 1e-6)
    return range(first, min(n_frames, math.ceil(event.end_s * LABEL_RATE_HZ - 1e-6)))


def frame_centre_s(frame: int) -> float:
    """The time at which a frame's positions are taken."""
    return (frame + 0.5) / LABEL_RATE_HZ


def event_table(scene: Scene) -> pa.Table:
    """One row an event and label frame, as exact as can be.

    Columns: frame, event (index into `Scene.events`), class, source, person (-1 for none), azimuth_deg,
    elevation_deg, distance_m; sorted by frame, class, source and event, the order of STARSS23.
    """
    rows = []
    for number, event in enumerate(scene.events):
        for frame in sounding_frames(event, n_label_frames(scene)):
            place = scene.place(event, frame_centre_s(frame))
            person = -1 if event.person is None else event.person
            azimuth_deg, elevation_deg = direction_deg(place)
            distance_m = float(np.linalg.norm(place))
            key = (frame, event.class_id, event.source, number)
            rows.append((*key, person, azimuth_deg, elevation_deg, distance_m))
    rows.sort(key=lambda row: row[:4])
    names = ("frame", "class", "source", "event", "person", "azimuth_deg", "elevation_deg", "distance_m")
    types = (*[pa.int64()] * 5, *[pa.float64()] * 3)
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pa.table({name: pa.array(column, kind) for name, column, kind in zip(names, columns, types, strict=True)})


def label_text(events: pa.Table) -> str:
    """The labels of STARSS23: ``frame,class,source,azimuth,elevation,distance_cm`` in whole numbers, no header."""
    columns = ("frame", "class", "source", "azimuth_deg", "elevation_deg", "distance_m")
    lines = []
    for row in zip(*(events[name].to_pylist() for name in columns), strict=True):
        frame, label, source, azimuth_deg, elevation_deg, distance_m = row
        place = f"{round(azimuth_deg)},{round(elevation_deg)},{round(100 * distance_m)}"
        lines.append(f"{frame},{label},{source},{place}\n")
    return "".join(lines)


def person_table(scene: Scene, painter: Painter) -> pa.Table:
    """One row a person and label frame: where the person is seen.

    Columns: frame, person, x0_px, y0_px, x1_px, y1_px (box in the equirectangular picture; null where nothing of the
    person is drawn), mouth_azimuth_deg, mouth_elevation_deg, mouth_distance_m, body (K x 4 numbers: x, y, z and
    radius in metres of spheres that cover the body).
    """
    columns: dict[str, list] = {name: [] for name in _PERSON_COLUMNS.names}
    for frame in range(n_label_frames(scene)):
        time_s = frame_centre_s(frame)
        boxes = {box.person: box for box in painter.boxes(time_s)}
        for number, person in enumerate(scene.people):
            box = boxes.get(number)
            for side in ("x0_px", "y0_px", "x1_px", "y1_px"):
                columns[side].append(None if box is None else float(getattr(box, side)))
            mouth = emitter_place(person, "mouth", time_s, scene.room.eye_height_m)
            azimuth_deg, elevation_deg = direction_deg(mouth)
            columns["frame"].append(frame)
            columns["person"].append(number)
            columns["mouth_azimuth_deg"].append(azimuth_deg)
            columns["mouth_elevation_deg"].append(elevation_deg)
            columns["mouth_distance_m"].append(float(np.linalg.norm(mouth)))
            columns["body"].append(painter.body_points(number, time_s).astype(np.float32).ravel().tolist())
    return pa.table(columns, schema=_PERSON_COLUMNS)


def write_table(path: Path, table: pa.Table) -> None:
    """Write Parquet."""
    pq.write_table(table, path, compression="zstd")


_PERSON_COLUMNS = pa.schema(
    [
        ("frame", pa.int64()),
        ("person", pa.int64()),
        *[(side, pa.float64()) for side in ("x0_px", "y0_px", "x1_px", "y1_px")],
        *[(name, pa.float64()) for name in ("mouth_azimuth_deg", "mouth_elevation_deg", "mouth_distance_m")],
        ("body", pa.list_(pa.float32())),
    ]
)
