"""Every candidate and its fate: one Parquet file for each finished recording, and all of them in one."""

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from savg_ray.dataset.annotations import INSTRUMENT, SPEECH, Annotations
from savg_ray.dataset.config import DatasetConfig
from savg_ray.dataset.layout import clip_name
from savg_ray.dataset.rules import FATES, KEPT
from savg_ray.dataset.windows import Candidates
from savg_ray.files import written_at_once

_SUMMARY = b"savg_ray.summary"
_NAMES = pa.dictionary(pa.int32(), pa.string())
_EVENT = pa.struct(
    [("class", pa.int8()), ("source", pa.int16()), ("first_frame", pa.int32()), ("n_frames", pa.int32())]
)
SCHEMA = pa.schema(
    [
        ("recording", _NAMES),
        ("part", _NAMES),
        ("split", _NAMES),
        ("start_frame", pa.int32()),
        ("yaw_deg", pa.int16()),
        ("fate", _NAMES),
        ("clip", pa.string()),
        ("events", pa.list_(_EVENT)),
    ]
)
"""``start_frame``, ``first_frame`` and ``n_frames`` in label frames of 0.1 s, the second counted from the first;
``clip`` is null unless the fate is ``kept``."""


@dataclass(frozen=True)
class PartSummary:
    """What is to be said about one finished recording.

    Attributes:
        digest: of everything that decided its clips.
        recording, part, split: which it is.
        fates: number of candidates by fate.
        labelled_frames: in kept clips, by kind (``speech``, ``instrument``, ``other``).
        notes: sentences.
    """

    digest: str
    recording: str
    part: str
    split: str
    fates: dict[str, int]
    labelled_frames: dict[str, int]
    notes: list[str]


def write_part(
    path: Path,
    summary: PartSummary,
    candidates: Candidates,
    fates: np.ndarray,
    annotations: Annotations,
    config: DatasetConfig,
) -> None:
    """Write the candidates of one recording, atomically."""
    starts, which_start = np.unique(candidates.start_frame, return_inverse=True)
    length = config.windows.length_frames
    events = pa.array([events_of(annotations.between(start, start + length)) for start in starts], pa.list_(_EVENT))
    clips = [
        clip_name(summary.recording, start, yaw) if fate == KEPT else None
        for start, yaw, fate in zip(
            candidates.start_frame.tolist(), candidates.yaw_deg.tolist(), fates.tolist(), strict=True
        )
    ]
    same = [pa.array([name] * len(candidates), _NAMES) for name in (summary.recording, summary.part, summary.split)]
    columns = [
        *same,
        pa.array(candidates.start_frame, pa.int32()),
        pa.array(candidates.yaw_deg, pa.int16()),
        pa.DictionaryArray.from_arrays(pa.array(fates, pa.int32()), pa.array(FATES)),
        pa.array(clips, pa.string()),
        events.take(pa.array(which_start)),
    ]
    told = {_SUMMARY: json.dumps(asdict(summary), sort_keys=True).encode()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_at_once(path) as unfinished:
        pq.write_table(pa.table(columns, schema=SCHEMA.with_metadata(told)), unfinished, compression="zstd")


def read_summary(path: Path) -> PartSummary | None:
    """What a part says about its recording; None for a part that is missing or damaged."""
    try:
        told = pq.read_schema(path).metadata or {}
        return PartSummary(**json.loads(told[_SUMMARY]))
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError):
        return None


def join_parts(parts: list[Path], path: Path) -> None:
    """All parts in one file, one after another, atomically."""
    with written_at_once(path) as unfinished, pq.ParquetWriter(unfinished, SCHEMA, compression="zstd") as writer:
        for part in parts:
            writer.write_table(pq.read_table(part).replace_schema_metadata(None))


def events_of(rows: Annotations) -> list[dict[str, int]]:
    """The labels of a window as events: stretches of one class and source, by first frame."""
    events: list[dict[str, int]] = []
    running: dict[tuple[int, int], dict[str, int]] = {}
    for frame, label, source in zip(rows.frame.tolist(), rows.label.tolist(), rows.source.tolist(), strict=True):
        event = running.get((label, source))
        if event is not None and frame <= event["first_frame"] + event["n_frames"]:
            event["n_frames"] = frame - event["first_frame"] + 1
            continue
        running[label, source] = {"class": label, "source": source, "first_frame": frame, "n_frames": 1}
        events.append(running[label, source])
    return events


def labelled_frames(annotations: Annotations, kept: Candidates, length_frames: int) -> dict[str, int]:
    """Labels of the kept clips by kind, in label frames."""
    counts = Counter({"speech": 0, "instrument": 0, "other": 0})
    for start, n_clips in Counter(kept.start_frame.tolist()).items():
        for label in annotations.between(start, start + length_frames).label.tolist():
            kind = "speech" if label in SPEECH else "instrument" if label == INSTRUMENT else "other"
            counts[kind] += n_clips
    return dict(counts)
