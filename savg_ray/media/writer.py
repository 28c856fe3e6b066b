"""A clip to an mp4 that any player opens: H.264 pictures, and FLAC (lossless), MP3 (as the official files) or AAC."""

import os
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np

from savg_ray.clips import Clip

AudioCodec = Literal["flac", "mp3", "aac"]
_ENCODERS: dict[AudioCodec, str] = {"flac": "flac", "mp3": "libmp3lame", "aac": "aac"}
_AAC_BITS_PER_S = 256_000
# Each channel for itself: joint coding and noise substitution shift the level between channels by up to 0.1 dB.
_AAC_OPTIONS = {"aac_coder": "fast", "aac_ms": "0", "aac_is": "0", "aac_pns": "0"}


def write_clip(path: Path, clip: Clip, audio_codec: AudioCodec = "flac", comment: str = "") -> None:
    """Write H.264 (crf 18, yuv420p) and sound from 16 bits into one mp4, atomically.

    Height and width must be even. A reader never sees half a file: it is written beside and renamed. The same clip
    gives the same bytes on every machine: one thread encodes, for the result depends on their number. ``comment``
    becomes the container's.

    Raises:
        ValueError: sound that is not stereo, or odd height or width (yuv420p halves both).
    """
    if clip.waveform.shape[0] != 2:
        raise ValueError(f"clips have two channels of sound, not {clip.waveform.shape[0]}")
    height, width = clip.frames.shape[1:3]
    if height % 2 or width % 2:
        raise ValueError(f"H.264 in yuv420p needs even sizes, not {width}x{height}")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        # The container tells where AAC sound ends, in these units; a thousandth of a second would be too coarse.
        options = {"strict": "experimental", "movie_timescale": str(clip.rate_hz)}
        with av.open(str(part), "w", format="mp4", options=options) as container:
            if comment:
                container.metadata["comment"] = comment
            video = container.add_stream("libx264", rate=Fraction(clip.fps).limit_denominator(1001))
            video.codec_context.thread_count = 1
            video.width, video.height, video.pix_fmt = width, height, "yuv420p"
            video.options = {"crf": "18", "preset": "medium"}
            audio = _sound_stream(container, audio_codec, clip.rate_hz)
            for picture in clip.frames:
                container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(video.encode(None))
            _mux_sound(container, audio, clip)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _sound_stream(container: av.container.OutputContainer, audio_codec: AudioCodec, rate_hz: int) -> av.AudioStream:
    is_aac = audio_codec == "aac"
    stream = container.add_stream(_ENCODERS[audio_codec], rate=rate_hz, options=_AAC_OPTIONS if is_aac else {})
    stream.layout = "stereo"
    if is_aac:
        stream.bit_rate = _AAC_BITS_PER_S
    return stream


def _mux_sound(container: av.container.OutputContainer, stream: av.AudioStream, clip: Clip) -> None:
    pcm = np.clip(np.rint(clip.waveform * 32768.0), -32768, 32767).astype(np.int16)
    source = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm.T.reshape(1, -1)), format="s16", layout="stereo")
    source.sample_rate = clip.rate_hz
    source.pts = 0
    source.time_base = Fraction(1, clip.rate_hz)
    codec = stream.codec_context
    if not codec.is_open:
        codec.open()
    # Encoders take blocks of their own size and sample format.
    resampler = av.AudioResampler(
        format=codec.format, layout=stream.layout, rate=clip.rate_hz, frame_size=codec.frame_size or 4096
    )
    for frame in (*resampler.resample(source), *resampler.resample(None)):
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
