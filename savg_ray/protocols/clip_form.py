"""The form in which clips are scored: what each protocol accepts, adapts or refuses."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from savg_ray.clips import Clip, ClipHeader
from savg_ray.errors import ClipError
from savg_ray.media.resample import pcm16
from savg_ray.protocols.official_windows import AUDIO_RATE_HZ, letterbox, window_count

Role = Literal["generated", "reference"]

CLIP_FPS = 4.0
CLIP_FRAMES = 20
CLIP_SIZE_PX = 256
CLIP_RATE_HZ = 16000

# I3D needs nine frames.
_MIN_FRAMES = 9


@dataclass(frozen=True, eq=False)
class ScoredForm:
    """A clip as the networks read it.

    Attributes:
        frames: uint8 RGB (T, 256, 256, 3).
        fps: frames per second of ``frames``.
        pcm_16k: int16 (2, L) at 16 kHz, for SELD and onsets.
        pcm_44k1: int16 (2, L) at 44.1 kHz, for AudioCLIP.
        notes: what was adapted, in words; empty when nothing was.
    """

    frames: np.ndarray
    fps: float
    pcm_16k: np.ndarray
    pcm_44k1: np.ndarray
    notes: str


def check_official_generated(header: ClipHeader, name: str) -> None:
    """Under ``savgbench-official`` a generated clip has exactly 20 frames of 256x256 at 4 fps, and 16 kHz stereo.

    Raises:
        ClipError: any other form, which the official scripts would refuse or misread.
    """
    _check_stereo(header, name)
    if (
        header.n_frames != CLIP_FRAMES
        or abs(header.fps - CLIP_FPS) > 1e-3
        or (header.height_px, header.width_px) != (CLIP_SIZE_PX, CLIP_SIZE_PX)
        or header.rate_hz != CLIP_RATE_HZ
    ):
        raise ClipError(
            "wrong_form",
            f"{name} has {header.n_frames} frames of {header.width_px}x{header.height_px} at {header.fps:g} fps with "
            f"{header.rate_hz} Hz sound, but savgbench-official scores only {CLIP_FRAMES} frames of "
            f"{CLIP_SIZE_PX}x{CLIP_SIZE_PX} at {CLIP_FPS:g} fps with {CLIP_RATE_HZ} Hz sound; convert it, or use "
            "--preset savg, which adapts it.",
        )


def check_official_reference(header: ClipHeader, name: str) -> None:
    """Under ``savgbench-official`` a reference clip may have any size and rate, as long as one window fits.

    Raises:
        ClipError: sound that is not stereo, or fewer frames than one window needs.
    """
    _check_stereo(header, name)
    if window_count(header.n_frames, header.fps) == 0:
        duration_s = header.n_frames / header.fps
        raise ClipError("too_short", f"{name} lasts {duration_s:.2f} s, but a window needs 2 s; leave it out.")


def official(clip: Clip, role: Role) -> ScoredForm:
    """A clip under ``savgbench-official``: fitted into 256x256, otherwise as it is.

    Raises:
        ClipError: see `check_official_generated` and `check_official_reference`.
    """
    check = check_official_generated if role == "generated" else check_official_reference
    check(clip.header, _name(clip))
    return ScoredForm(letterbox(clip.frames), clip.fps, *_both_rates(clip), notes=_size_note(clip))


def whole(clip: Clip) -> ScoredForm:
    """A clip under ``savg``: brought to 256x256 pixels, 4 fps and the networks' sample rates, and kept whole.

    Raises:
        ClipError: ``mono`` or ``channels`` (direction cannot be made up), ``fps_too_low``, ``too_few_frames``.
    """
    _check_stereo(clip.header, _name(clip))
    notes = [_size_note(clip)] if _size_note(clip) else []
    frames = clip.frames
    if abs(clip.fps - CLIP_FPS) > 1e-3:
        if clip.fps < CLIP_FPS:
            raise ClipError(
                "fps_too_low", f"{_name(clip)} has {clip.fps:g} fps; scores need at least {CLIP_FPS:g} fps."
            )
        n_frames = int(len(frames) * CLIP_FPS / clip.fps + 1e-6)
        frames = frames[np.floor(np.arange(n_frames) * (clip.fps / CLIP_FPS) + 1e-6).astype(np.int64)]
        notes.append(f"{clip.fps:g} fps to {CLIP_FPS:g} fps")
    if len(frames) < _MIN_FRAMES:
        raise ClipError(
            "too_few_frames",
            f"{_name(clip)} has {len(frames)} frames at {CLIP_FPS:g} fps; I3D needs {_MIN_FRAMES}, so "
            f"{_MIN_FRAMES / CLIP_FPS:g} s.",
        )
    if len(frames) != CLIP_FRAMES:
        notes.append(f"{len(frames)} frames instead of {CLIP_FRAMES}")
    if clip.rate_hz != CLIP_RATE_HZ:
        notes.append(f"{clip.rate_hz} Hz to {CLIP_RATE_HZ} Hz")
    if not clip.waveform.any():
        notes.append("silent")
    return ScoredForm(letterbox(frames), CLIP_FPS, *_both_rates(clip), notes="; ".join(notes))


def _both_rates(clip: Clip) -> tuple[np.ndarray, np.ndarray]:
    return pcm16(clip.waveform, clip.rate_hz, CLIP_RATE_HZ), pcm16(clip.waveform, clip.rate_hz, AUDIO_RATE_HZ)


def _check_stereo(header: ClipHeader, name: str) -> None:
    if header.channels == 1:
        raise ClipError("mono", f"{name} has mono sound, which has no direction to score; write it in stereo.")
    if header.channels != 2:
        raise ClipError("channels", f"{name} has {header.channels} channels of sound; write it in stereo.")


def _size_note(clip: Clip) -> str:
    height, width = clip.frames.shape[1:3]
    if (height, width) == (CLIP_SIZE_PX, CLIP_SIZE_PX):
        return ""
    return f"{width}x{height} to {CLIP_SIZE_PX}x{CLIP_SIZE_PX}"


def _name(clip: Clip) -> str:
    return str(clip.path or clip.id)
