"""Temporal AV-Align: do sounds begin when the picture moves?

OpenCV and librosa load on first use, librosa slowly (`ready_librosa`), so that a worker should score one second of
noise before its first clip.
"""

import itertools
import math
from collections.abc import Sequence

import numpy as np

from savg_ray.errors import ClipError, UserError
from savg_ray.media.ready_librosa import ready_librosa
from savg_ray.metrics.feature_state import keyed_numbers
from savg_ray.metrics.intervals import bootstrap_mean
from savg_ray.metrics.result import Result

_ONSET_RATE_HZ = 22050


def temporal_av_align(
    frames: np.ndarray, fps: float, waveform: np.ndarray, rate_hz: float, one_to_one: bool = False
) -> float | None:
    """Overlap of sound onsets and motion peaks of one clip: 0 for none, None when it has neither.

    frames: uint8 (T, H, W, 3) RGB, T >= 2; waveform: float32 (C, L) in [-1, 1]. The official score lets several
    onsets share one motion peak and can exceed 1; with ``one_to_one`` every peak serves at most one onset, and the
    score stays in [0, 1]. Raises ClipError for input that has no motion or no sound to look at. Definition:
    Yariv et al., Diverse and Aligned Audio-to-Video Generation (2309.16429), as SAVGBench runs it.
    """
    if not (math.isfinite(fps) and fps > 0):
        raise ClipError(
            "bad_fps", f"The clip's frame rate is {fps}; write the file again with a positive frame rate."
        )
    motion = video_peaks(flow_trajectory(frames), fps)
    return peak_iou(audio_onsets(waveform, rate_hz), motion, fps, one_to_one)


def flow_trajectory(frames: np.ndarray) -> np.ndarray:
    """Mean optical-flow magnitude in px per frame, float64 (T,), of frames uint8 (T, H, W, 3) RGB with T >= 2.

    Value i >= 1 is the motion from frame i-1 to i (Farnebäck's flow on gray frames); value 0 repeats value 1.
    Raises ClipError ``bad_frames``.
    """
    import cv2

    frames = np.asarray(frames)
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or len(frames) < 2:
        raise ClipError(
            "bad_frames",
            f"Motion needs at least two RGB frames, uint8 (T, H, W, 3), but got {frames.dtype} {frames.shape}; "
            "decode the clip again or drop it.",
        )
    gray = [cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY) for frame in frames]
    motion = []
    for before, after in itertools.pairwise(gray):
        flow = cv2.calcOpticalFlowFarneback(
            before,
            after,
            None,
            pyr_scale=0.5,
            levels=3,
            winsize=15,
            iterations=3,
            poly_n=5,
            poly_sigma=1.2,
            flags=0,
        )
        motion.append(_mean_magnitude(flow))
    return np.array([motion[0], *motion])


def _mean_magnitude(flow: np.ndarray) -> float:
    """Mean length of the flow vectors (H, W, 2), over the finite ones.

    Some OpenCV builds leave infinities in corner pixels, at random; a single one would make a peak of that frame.
    """
    magnitude = np.sqrt(flow[..., 0] ** 2 + flow[..., 1] ** 2)
    finite = np.isfinite(magnitude)
    if not finite.any():
        raise ClipError(
            "flow_not_finite", "The optical flow of a frame pair has no finite pixel; decode the clip again."
        )
    return float(magnitude.mean() if finite.all() else magnitude[finite].mean())


def video_peaks(trajectory: Sequence[float] | np.ndarray, fps: float) -> np.ndarray:
    """Times in s of the strict local maxima inside a trajectory (T,), value i being at i / fps."""
    values = np.asarray(trajectory, dtype=np.float64)
    inner = values[1:-1]
    return (np.flatnonzero((inner > values[:-2]) & (inner > values[2:])) + 1) / fps


def audio_onsets(waveform: np.ndarray, rate_hz: float) -> np.ndarray:
    """Times in s at which sounds begin in a waveform, float32 (C, L) in [-1, 1].

    The channels' mean at 22050 Hz, librosa's spectral-flux onset strength and peak picking with their defaults.
    A silent clip has no onset. Raises ClipError ``no_audio`` or ``bad_waveform``.
    """
    waveform = np.asarray(waveform)
    if waveform.ndim != 2 or not np.issubdtype(waveform.dtype, np.floating):
        raise ClipError(
            "bad_waveform",
            f"Onsets need a waveform of floats (C, L), but got {waveform.dtype} {waveform.shape}; divide 16-bit "
            "samples by 32768.",
        )
    if waveform.size == 0:
        raise ClipError("no_audio", "The clip's sound has no samples; write the clip again with its sound.")
    if not np.isfinite(waveform).all():
        raise ClipError("bad_waveform", "The clip's sound holds NaN or infinite samples; write the clip again.")
    librosa = ready_librosa()
    mono = waveform.astype(np.float32, copy=False).mean(axis=0)
    mono = librosa.resample(mono, orig_sr=rate_hz, target_sr=_ONSET_RATE_HZ, res_type="soxr_hq")
    strength = librosa.onset.onset_strength(y=mono, sr=_ONSET_RATE_HZ)
    return librosa.onset.onset_detect(onset_envelope=strength, sr=_ONSET_RATE_HZ, units="time")


def peak_iou(
    audio_peaks_s: Sequence[float] | np.ndarray,
    video_peaks_s: Sequence[float] | np.ndarray,
    fps: float,
    one_to_one: bool = False,
) -> float | None:
    """I / (A + V - I) for A onsets and V motion peaks, both in ascending s; None when A = V = 0.

    I counts the onsets with a motion peak strictly less than 1 / fps away; with ``one_to_one``, the pairs of the
    largest matching in which no peak serves twice.
    """
    audio, video = np.asarray(audio_peaks_s, np.float64), np.asarray(video_peaks_s, np.float64)
    if len(audio) + len(video) == 0:
        return None
    near = np.abs(audio[:, None] - video[None, :]) < 1.0 / fps
    shared = _matched(near, audio, video) if one_to_one else int(near.any(axis=1).sum())
    return shared / (len(audio) + len(video) - shared)


def _matched(near: np.ndarray, audio: np.ndarray, video: np.ndarray) -> int:
    """Size of the largest matching; pairing from left to right finds it, since all tolerances are equal."""
    i = j = pairs = 0
    while i < len(audio) and j < len(video):
        if near[i, j]:
            i, j, pairs = i + 1, j + 1, pairs + 1
        elif audio[i] < video[j]:
            i += 1
        else:
            j += 1
    return pairs


class TemporalAvAlign:
    """Mergeable Temporal AV-Align: plain mean over the clips that have a score, 95 % interval by clip bootstrap."""

    def __init__(self, name: str = "temporal_av_align") -> None:
        self.name = name
        self._scores = keyed_numbers("temporal alignment scores")

    def update(self, clip_id: str, score: float | None) -> None:
        """Remember one clip's score, None for neither onset nor motion peak. UserError when it is known otherwise."""
        if score is not None and not math.isfinite(score):
            raise UserError(f"Clip {clip_id!r} has the temporal score {score}; give None where a score is undefined.")
        self._scores.add(clip_id, None if score is None else float(score))

    def merge(self, other: "TemporalAvAlign") -> None:
        """Take over the clips of ``other``. Raises UserError when a shared clip's score differs."""
        self._scores.merge(other._scores)

    def compute(self, ci: bool = True) -> Result:
        """Mean score; ``n`` counts the clips that have one; None when no clip has."""
        known = self._scores.in_key_order()
        scores = [score for score in known if score is not None]
        extras: dict[str, float | int | str | None] = {"n_undefined": len(known) - len(scores)}
        if not scores:
            reason = f"None of the {len(known)} clips has a sound onset or a motion peak."
            return Result(self.name, None, "1", 1.0, True, 0, None, reason, extras)
        interval = bootstrap_mean(scores) if ci else None
        return Result(self.name, float(np.mean(scores)), "1", 1.0, True, len(scores), interval, None, extras)
