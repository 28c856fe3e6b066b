"""The picture sheet of a run: its first clips, read again, with what was found out about them."""

from pathlib import Path

import cv2
import numpy as np

from savg_ray.errors import ClipError
from savg_ray.evaluation.evaluation import Evaluation
from savg_ray.evaluation.outcome import ClipOutcome
from savg_ray.evaluation.scores import spatial_alignments, temporal_score
from savg_ray.evaluation.sheet import SheetClip, draw_sheet
from savg_ray.files import written_at_once
from savg_ray.media.reader import read_clip
from savg_ray.media.safe_reader import SafeReader
from savg_ray.metrics.spatial_av_align import SpatialAlignment
from savg_ray.protocols import clip_form

CLIPS_ON_SHEET = 8


def write_sheet(path: Path, evaluation: Evaluation) -> None:
    """Draw the first clips that were scored; without any, a sheet of an earlier run is removed.

    A clip that can no longer be read is left out.
    """
    alignments = spatial_alignments(evaluation)
    clips = []
    with SafeReader(evaluation.config.decode_deadline_s) as reader:
        for outcome in evaluation.good("generated")[:CLIPS_ON_SHEET]:
            try:
                clip = reader(read_clip, outcome.plan.path)
                form = clip_form.official(clip, "generated") if evaluation.config.official else clip_form.whole(clip)
            except ClipError:
                continue
            clips.append(_sheet_clip(outcome, form, alignments[outcome.plan.id]))
    if not clips:
        path.unlink(missing_ok=True)
        return
    _, png = cv2.imencode(".png", draw_sheet(clips)[:, :, ::-1])
    with written_at_once(path) as part:
        part.write_bytes(png.tobytes())


def _sheet_clip(outcome: ClipOutcome, form: clip_form.ScoredForm, alignment: SpatialAlignment) -> SheetClip:
    temporal = temporal_score(outcome)
    met = "no sound heard" if alignment.score is None else f"{alignment.tp} of {alignment.tp + alignment.fn} sounds"
    in_time = "" if temporal is None else f" | temporal AV-Align {temporal:.2f}"
    return SheetClip(
        caption=f"{outcome.plan.id} | with a person: {met}{in_time}",
        frames=form.frames,
        fps=form.fps,
        waveform=form.pcm_16k.astype(np.float32) / np.float32(32768.0),
        sounds=outcome.array("seld"),
        boxes=outcome.array("detections"),
    )
