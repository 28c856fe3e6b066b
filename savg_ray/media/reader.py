"""Clip in, tensors out: pictures through decord, sound through PyAV (decord's stereo sound is broken)."""

import math
import os
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import decord
import numpy as np

from savg_ray.clips import Clip, ClipHeader
from savg_ray.errors import ClipError

# How much of the sound that the container promises may be missing before the file counts as cut off: codecs pad
# and trim by a frame or two (mp3 1152 samples, aac 1024) at either end.
_TRUNCATION_TOLERANCE_S = 0.25


def read_clip(path: Path) -> Clip:
    """Decode a media file once, pictures and sound, at its own size and rates.

    Returns:
        The clip; ``waveform`` is what the decoder gives, as float32 (16-bit material: multiples of 1/32768).

    Raises:
        ClipError: reasons ``missing``, ``not_a_file``, ``unreadable``, ``empty_file``, ``not_media``, ``no_video``,
            ``no_audio``, ``empty_audio``, ``nan_audio``, ``truncated``.
    """
    check_file(path)
    with _open(path) as container:
        fps = _picture_rate(container, path)
        waveform, rate_hz = _decode_sound(container, path)
    frames = _decode_pictures(path)
    return Clip(path.stem, frames, float(fps), waveform, rate_hz, path)


def read_sound(path: Path) -> tuple[np.ndarray, int]:
    """Decode the sound of a media file alone, as `read_clip` does: no picture is looked at.

    Returns:
        waveform float32 (C, L), and its samples per second.

    Raises:
        ClipError: as `read_clip`, as far as sound is concerned.
    """
    check_file(path)
    with _open(path) as container:
        return _decode_sound(container, path)


def read_picture(path: Path, choose: Callable[[int], int]) -> np.ndarray:
    """Decode one picture of a media file, the same as `read_clip` gives: neither the later ones nor any sound.

    Args:
        path: of the file.
        choose: number of pictures to that of the wanted one, which begins at 0.

    Returns:
        uint8 RGB (H, W, 3).

    Raises:
        ClipError: as `read_clip`, as far as the pictures up to this one are concerned.
    """
    check_file(path)
    with _open(path) as container:
        _picture_rate(container, path)
    return _decode_pictures(path, lambda n: [choose(n)])[0]


def read_pictures(path: Path, duration_s: float) -> tuple[np.ndarray, float]:
    """Decode the first pictures of a media file, as `read_clip` does: no sound is looked at, nor needed.

    Returns:
        frames uint8 RGB (T, H, W, 3), those that begin before ``duration_s``, and how many there are a second.

    Raises:
        ClipError: as `read_clip`, as far as pictures are concerned.
    """
    check_file(path)
    with _open(path) as container:
        fps = _picture_rate(container, path)
    # What begins at the very end begins after it.
    most = math.ceil(duration_s * fps - 1e-6)
    return _decode_pictures(path, lambda n: range(min(n, most))), float(fps)


def probe_clip(path: Path) -> ClipHeader:
    """Sizes and rates of a media file, from its packets alone (nothing is decoded).

    Raises:
        ClipError: as `read_clip`, as far as the container shows it.
    """
    check_file(path)
    with _open(path) as container:
        fps = float(_picture_rate(container, path))
        picture, sound = container.streams.video[0], _sound_stream(container, path)
        try:
            n_frames = sum(1 for packet in container.demux(picture) if packet.size)
        except av.FFmpegError as error:
            raise ClipError(
                "truncated", f"{path} breaks off or is damaged ({_cause(error)}); write it again."
            ) from error
        return ClipHeader(n_frames, fps, picture.height, picture.width, sound.channels, sound.rate)


def check_file(path: Path) -> None:
    """Look at the file from outside: is it there, a file, readable, and not empty?

    Raises:
        ClipError: reasons ``missing``, ``not_a_file``, ``unreadable``, ``empty_file``.
    """
    if not path.exists():
        raise ClipError("missing", f"{path} does not exist.")
    if not path.is_file():
        kind = "directory" if path.is_dir() else "special file"
        raise ClipError("not_a_file", f"{path} is a {kind}, not a clip; rename it or move it away.")
    if not os.access(path, os.R_OK):
        raise ClipError("unreadable", f"{path} cannot be read: permission denied; change its permissions.")
    if path.stat().st_size == 0:
        raise ClipError("empty_file", f"{path} is an empty file; write it again.")


def _open(path: Path) -> av.container.InputContainer:
    try:
        return av.open(str(path), metadata_errors="ignore")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise ClipError(
            "not_media", f"{path} is not a readable media file ({_cause(error)}); write it again."
        ) from error


def _cause(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _picture_rate(container: av.container.InputContainer, path: Path) -> Fraction:
    if not container.streams.video:
        raise ClipError("no_video", f"{path} has no video stream; both pictures and sound are needed.")
    rate = container.streams.video[0].average_rate
    if not rate:
        raise ClipError("no_video", f"{path} does not tell its frame rate; write it again with a constant one.")
    return rate


def _sound_stream(container: av.container.InputContainer, path: Path) -> av.AudioStream:
    if not container.streams.audio:
        raise ClipError("no_audio", f"{path} has no audio stream; both pictures and sound are needed.")
    return container.streams.audio[0]


def _decode_sound(container: av.container.InputContainer, path: Path) -> tuple[np.ndarray, int]:
    stream = _sound_stream(container, path)
    blocks: list[np.ndarray] = []
    padding = 0
    try:
        for frame in container.decode(stream):
            blocks.append(_planar_float(frame))
            padding = _padding(frame)
    except av.FFmpegError as error:
        raise ClipError(
            "truncated", f"{path}: the sound breaks off or is damaged ({_cause(error)}); write it again."
        ) from error
    rate_hz = stream.rate
    if not blocks or not rate_hz or sum(block.shape[1] for block in blocks) == 0:
        raise ClipError("empty_audio", f"{path} has an audio stream without a single sample; write it again.")
    waveform = np.concatenate(blocks, axis=1)
    if not np.isfinite(waveform).all():
        raise ClipError("nan_audio", f"{path}: the sound holds NaN or infinite samples; repair what wrote it.")
    if stream.duration and stream.time_base:
        surplus = waveform.shape[1] - round(stream.duration * stream.time_base * rate_hz)
        if 0 < surplus <= padding:
            waveform = waveform[:, :-surplus]
        missing_s = float(stream.duration * stream.time_base) - waveform.shape[1] / rate_hz
        if missing_s > _TRUNCATION_TOLERANCE_S:
            raise ClipError(
                "truncated", f"{path} is cut off: {missing_s:.2f} s of sound are missing; write it again."
            )
    return waveform, rate_hz


def _padding(frame: av.AudioFrame) -> int:
    """Samples at the end of a block that its packet does not count: AAC comes in whole blocks."""
    if not frame.duration or not frame.time_base:
        return 0
    return frame.samples - round(frame.duration * frame.time_base * frame.sample_rate)


def _planar_float(frame: av.AudioFrame) -> np.ndarray:
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype.kind == "f":
        return samples.astype(np.float32)
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - 128.0) / 128.0
    return samples.astype(np.float32) / np.float32(-float(np.iinfo(samples.dtype).min))


def _decode_pictures(path: Path, choose: Callable[[int], Sequence[int]] = range) -> np.ndarray:
    """Pictures uint8 (n, H, W, 3) of the numbers that ``choose`` gives for their count; all by default."""
    try:
        reader = decord.VideoReader(str(path), num_threads=1)
        frames = reader.get_batch(choose(len(reader))).asnumpy() if len(reader) else ()
    except (decord.DECORDError, RuntimeError, IndexError) as error:
        first_line = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        raise ClipError(
            "truncated", f"{path}: the pictures cannot be decoded ({first_line}); write it again."
        ) from error
    if len(frames) == 0:
        raise ClipError("no_video", f"{path} has a video stream without a single frame; write it again.")
    return frames
