"""Media files of every awkward kind, made on the spot."""

import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def write_media(
    path: Path,
    frames: np.ndarray | None,
    waveform: np.ndarray | None,
    fps: float = 4.0,
    rate_hz: int = 16000,
    codec: str = "flac",
    layout: str = "stereo",
    file_format: str = "mp4",
    options: dict[str, str] | None = None,
) -> Path:
    """frames uint8 (T,H,W,3) or None; waveform float (C,L) or None; C as the layout says; options of the encoder."""
    with av.open(str(path), "w", format=file_format, options={"strict": "experimental"}) as container:
        video = audio = None
        if frames is not None:
            video = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options=options or {})
            video.height, video.width = frames.shape[1:3]
            odd = video.height % 2 or video.width % 2
            video.pix_fmt = "yuv444p" if odd else "yuv420p"
        if waveform is not None:
            audio = container.add_stream(codec, rate=rate_hz)
            audio.layout = layout
        if video is not None:
            for picture in frames:
                container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(video.encode(None))
        if audio is not None and waveform.shape[1]:
            float_codec = codec.startswith("pcm_f32")
            samples = waveform.astype(np.float32) if float_codec else np.rint(waveform * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(samples.T.reshape(1, -1)), format="flt" if float_codec else "s16", layout=layout
            )
            frame.sample_rate, frame.pts, frame.time_base = rate_hz, 0, Fraction(1, rate_hz)
            container.mux(audio.encode(frame)) if codec.startswith("pcm") else _encode_in_blocks(
                container, audio, frame
            )
        if audio is not None:
            container.mux(audio.encode(None))
    return path


def _encode_in_blocks(container: av.container.OutputContainer, stream: av.AudioStream, frame: av.AudioFrame) -> None:
    if not stream.codec_context.is_open:
        stream.codec_context.open()
    resampler = av.AudioResampler(
        stream.codec_context.format, stream.layout, stream.rate, stream.codec_context.frame_size or 4096
    )
    for block in (*resampler.resample(frame), *resampler.resample(None)):
        container.mux(stream.encode(block))


def write_wav(path: Path, seconds: float) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(b"\0\0\0\0" * int(16000 * seconds))
    return path
