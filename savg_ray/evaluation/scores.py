"""From what was found out about each clip to the numbers of the benchmark."""

from savg_ray.errors import ClipError
from savg_ray.evaluation.evaluation import Evaluation
from savg_ray.evaluation.outcome import ClipOutcome
from savg_ray.metrics.frechet import FrechetDistance
from savg_ray.metrics.kvd import KernelDistance
from savg_ray.metrics.result import Result
from savg_ray.metrics.spatial_av_align import SpatialAlignment, SpatialAvAlign, spatial_av_align
from savg_ray.metrics.temporal_av_align import TemporalAvAlign

FAD_SCALE = 1000.0


def score(evaluation: Evaluation) -> dict[str, Result]:
    """All metrics of a run, by their names in ``metrics.json``.

    A clip whose sound events lie outside its pictures fails here, before any number is made.
    """
    alignments = spatial_alignments(evaluation)
    savg = not evaluation.config.official
    if evaluation.config.mini:
        fvd = FrechetDistance("fvd_mini", "squared distance of video_mini features", debias=True)
        kvd = KernelDistance("kvd_mini")
        fad = FrechetDistance("fad_mini", "squared distance of audio_mini features", debias=True)
    else:
        fvd = FrechetDistance("fvd", "squared distance of I3D logits", debias=savg)
        kvd = KernelDistance("kvd")
        fad = FrechetDistance("fad", "1000 x squared distance of AudioCLIP embeddings", FAD_SCALE, debias=savg)
    for role in ("generated", "reference"):
        for stage, metrics in (("video_features", (fvd, kvd)), ("audio_features", (fad,))):
            keys, features = evaluation.features(role, stage)
            for metric in metrics:
                metric.update(keys, features, generated=role == "generated")
    # Onsets and optical flow need no network, so that this score compares with everybody's.
    temporal = TemporalAvAlign()
    spatial = SpatialAvAlign("spatial_av_align_mini" if evaluation.config.mini else "spatial_av_align")
    for outcome in evaluation.good("generated"):
        alignment = alignments[outcome.plan.id]
        spatial.update(outcome.plan.id, alignment.tp, alignment.fn)
        temporal.update(outcome.plan.id, temporal_score(outcome))
    # Official windows overlap and repeat, so an interval over them would be too narrow.
    results = [
        fvd.compute(ci=savg),
        kvd.compute(ci=savg),
        fad.compute(ci=savg),
        spatial.compute(),
        temporal.compute(),
    ]
    return {result.name: result for result in results}


def spatial_alignments(evaluation: Evaluation) -> dict[str, SpatialAlignment]:
    """Spatial counts of each generated clip; a clip that has none fails."""
    alignments = {}
    for outcome in evaluation.good("generated"):
        try:
            alignments[outcome.plan.id] = spatial_av_align(
                outcome.array("seld"),
                outcome.array("detections"),
                clamp=not evaluation.config.official,
                n_frames=outcome.n_frames,
                fps=outcome.fps,
            )
        except ClipError as error:
            evaluation.fail(outcome, ClipError(error.reason, f"{outcome.plan.path}: {error.message}"))
    return alignments


def temporal_score(outcome: ClipOutcome) -> float | None:
    """A clip's Temporal AV-Align, None where it is undefined."""
    value = float(outcome.array("temporal")[0])
    return None if value != value else value
