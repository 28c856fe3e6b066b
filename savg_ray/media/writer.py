"""A clip to an mp4 that any player opens: H.264 pictures, and FLAC (lossless), MP3 (as the official files) or AAC."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np

from savg_ray.clips import Clip
from savg_ray.files import written_at_once

AudioCodec = Literal["flac", "mp3", "aac"]
X264Speed = Literal["medium", "veryfast"]
_ENCODERS: dict[AudioCodec, str] = {"flac": "flac", "mp3": "libmp3lame", "aac": "aac"}
SAME_BYTES = {"x264-params": "mbtree=0"}
"""For libx264, besides one thread: its macroblock tree (seen in core 165) reads memory that nobody has written where
a row is no multiple of 16 macroblocks, so that the same pictures come out in other bytes now and then."""

_AAC_BITS_PER_S = 256_000
# Each channel for itself: joint coding and noise substitution shift the level between channels by up to 0.1 dB.
_AAC_OPTIONS = {"aac_coder": "fast", "aac_ms": "0", "aac_is": "0", "aac_pns": "0"}


def write_clip(path: Path, clip: Clip, audio_codec: AudioCodec = "flac", comment: str = "") -> None:
    """Write a clip as `write_mp4` does.

    Raises:
        ValueError: sound that is not stereo, or odd height or width (yuv420p halves both).
    """
    height, width = clip.frames.shape[1:3]
    if height % 2 or width % 2:
        raise ValueError(f"H.264 in yuv420p needs even sizes, not {width}x{height}")
    pictures = [av.VideoFrame.from_ndarray(picture, format="rgb24") for picture in clip.frames]
    fps = Fraction(clip.fps).limit_denominator(1001)
    write_mp4(path, pictures, fps, clip.waveform, clip.rate_hz, audio_codec, comment=comment)


def write_mp4(
    path: Path,
    pictures: Sequence[av.VideoFrame],
    fps: Fraction,
    waveform: np.ndarray,
    rate_hz: int,
    audio_codec: AudioCodec,
    *,
    speed: X264Speed = "medium",
    comment: str = "",
) -> None:
    """Write H.264 (crf 18, yuv420p) and sound from 16 bits into one mp4, atomically.

    The same input gives the same bytes on every machine.

    Args:
        path: of the file.
        pictures: of one even size, at least one.
        fps: their rate.
        waveform: float (2, L), nominal range [-1, 1].
        rate_hz: its rate.
        audio_codec: how the sound is coded.
        speed: of the encoder.
        comment: becomes the container's.

    Raises:
        ValueError: sound that is not stereo.
    """
    if waveform.shape[0] != 2:
        raise ValueError(f"clips have two channels of sound, not {waveform.shape[0]}")
    # The container tells where AAC sound ends, in these units; a thousandth of a second would be too coarse.
    options = {"strict": "experimental", "movie_timescale": str(rate_hz)}
    with written_at_once(path) as part, av.open(str(part), "w", format="mp4", options=options) as container:
        if comment:
            container.metadata["comment"] = comment
        video = picture_stream(container, pictures[0], fps, speed)
        sound = _sound_stream(container, audio_codec, rate_hz)
        for number, picture in enumerate(pictures):
            mux_picture(container, video, picture, number / fps)
        container.mux(video.encode(None))
        _mux_sound(container, sound, waveform, rate_hz)


def picture_stream(
    container: av.container.OutputContainer, like: av.VideoFrame, fps: Fraction, speed: X264Speed
) -> av.VideoStream:
    """A stream for pictures of one size; close it with ``container.mux(stream.encode(None))``."""
    stream = container.add_stream("libx264", rate=fps, options={"crf": "18", "preset": speed, **SAME_BYTES})
    stream.width, stream.height, stream.pix_fmt = like.width, like.height, "yuv420p"
    # Several threads cut pictures into slices, so that the bytes would depend on the number of cores.
    stream.codec_context.thread_count = 1
    return stream


def mux_picture(
    container: av.container.OutputContainer, stream: av.VideoStream, picture: av.VideoFrame, time_s: Fraction
) -> None:
    """Encode the next picture, shown from ``time_s`` on."""
    # In units of 1 / denominator, the time of any picture is a whole number.
    picture.pts, picture.time_base = time_s.numerator, Fraction(1, time_s.denominator)
    container.mux(stream.encode(picture))


def _sound_stream(container: av.container.OutputContainer, audio_codec: AudioCodec, rate_hz: int) -> av.AudioStream:
    is_aac = audio_codec == "aac"
    stream = container.add_stream(_ENCODERS[audio_codec], rate=rate_hz, options=_AAC_OPTIONS if is_aac else {})
    stream.layout = "stereo"
    if is_aac:
        stream.bit_rate = _AAC_BITS_PER_S
    return stream


def _mux_sound(
    container: av.container.OutputContainer, stream: av.AudioStream, waveform: np.ndarray, rate_hz: int
) -> None:
    pcm = np.clip(np.rint(waveform * 32768.0), -32768, 32767).astype(np.int16)
    source = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm.T.reshape(1, -1)), format="s16", layout="stereo")
    source.sample_rate = rate_hz
    source.pts = 0
    source.time_base = Fraction(1, rate_hz)
    codec = stream.codec_context
    if not codec.is_open:
        codec.open()
    # Encoders take blocks of their own size and sample format.
    resampler = av.AudioResampler(
        format=codec.format, layout=stream.layout, rate=rate_hz, frame_size=codec.frame_size or 4096
    )
    for frame in (*resampler.resample(source), *resampler.resample(None)):
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
