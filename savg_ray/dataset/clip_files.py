"""Clips being written: they take pictures as these are decoded, and become files when complete."""

import io
import os
from contextlib import suppress
from fractions import Fraction
from typing import Protocol

import av
import numpy as np
import soundfile
from av.video.reformatter import VideoReformatter

from savg_ray.dataset.annotations import Annotations
from savg_ray.dataset.config import DatasetConfig
from savg_ray.dataset.labels import write_degree_labels, write_pixel_labels
from savg_ray.dataset.layout import ClipFiles
from savg_ray.files import part_path, written_at_once
from savg_ray.media.writer import mux_picture, picture_stream, write_mp4
from savg_ray.spatial.perspective import View, pad_to_square

# Measured on textured clips of 256x256: 0.6 of the time of x264's default, files of the same size, and pictures
# 0.25 dB further from the source. Encoding is most of what a clip costs.
_SPEED = "veryfast"


def view_of(config: DatasetConfig) -> View:
    """The picture that a clip shows, without padding."""
    return View(config.pictures.width_px, config.pictures.height_px, config.pictures.hfov_deg)


class PictureMaker:
    """Makes encodable pictures, yuv420p and padded, out of flat ones, uint8 RGB (H, W, 3)."""

    def __init__(self, config: DatasetConfig) -> None:
        self._pad_to_px = config.pictures.pad_to_px
        self._converter = VideoReformatter()

    def __call__(self, flat: np.ndarray) -> av.VideoFrame:
        """A picture that several clips may share."""
        padded = flat if self._pad_to_px is None else pad_to_square(flat, self._pad_to_px)
        frame = av.VideoFrame.from_ndarray(padded, format="rgb24")
        return self._converter.reformat(frame, format="yuv420p", threads=1)


class OpenClip(Protocol):
    """A clip on its way to the disk."""

    def add(self, picture: av.VideoFrame) -> None:
        """Take the next picture."""

    def finish(self, stereo: np.ndarray, rows: Annotations, yaw_deg: int) -> None:
        """Write what is left: sound float (2, L), and labels with frames counted from the start of the clip."""

    def discard(self) -> None:
        """Leave nothing behind of a clip that is not finished."""


def open_clip(files: ClipFiles, config: DatasetConfig, fps: Fraction) -> OpenClip:
    """A clip in the layout of the configuration; ``fps`` is that of its pictures."""
    kind = SquareClip if config.layout == "savgbench" else StreamedClip
    return kind(files, config, fps)


class SquareClip:
    """Layout ``savgbench``: one mp4 with sound, labels in pixels. Its few small pictures are kept until the end."""

    def __init__(self, files: ClipFiles, config: DatasetConfig, fps: Fraction) -> None:
        self._files, self._config, self._fps = files, config, fps
        self._pictures: list[av.VideoFrame] = []

    def add(self, picture: av.VideoFrame) -> None:
        """See `OpenClip`."""
        self._pictures.append(picture)

    def finish(self, stereo: np.ndarray, rows: Annotations, yaw_deg: int) -> None:
        """See `OpenClip`; the mp4 comes last."""
        write_pixel_labels(self._files.labels, rows, yaw_deg, view_of(self._config))
        sound = self._config.sound
        write_mp4(self._files.video, self._pictures, self._fps, stereo, sound.rate_hz, sound.codec, speed=_SPEED)

    def discard(self) -> None:
        """See `OpenClip`."""


class StreamedClip:
    """Layout ``dcase2025``: wav, mp4 without sound, labels in degrees. Its many pictures are encoded as they come."""

    def __init__(self, files: ClipFiles, config: DatasetConfig, fps: Fraction) -> None:
        self._files, self._config, self._fps = files, config, fps
        self._part = part_path(files.video)
        self._container = av.open(str(self._part), "w", format="mp4")
        self._stream: av.VideoStream | None = None
        self._n_pictures = 0

    def add(self, picture: av.VideoFrame) -> None:
        """See `OpenClip`."""
        if self._stream is None:
            self._stream = picture_stream(self._container, picture, self._fps, _SPEED)
        mux_picture(self._container, self._stream, picture, self._n_pictures / self._fps)
        self._n_pictures += 1

    def finish(self, stereo: np.ndarray, rows: Annotations, yaw_deg: int) -> None:
        """See `OpenClip`; the mp4 comes last."""
        write_degree_labels(self._files.labels, rows, yaw_deg, view_of(self._config))
        wav = io.BytesIO()
        soundfile.write(wav, stereo.T, self._config.sound.rate_hz, format="WAV", subtype="PCM_16")
        with written_at_once(self._files.sound) as part:
            part.write_bytes(wav.getbuffer())
        self._container.mux(self._stream.encode(None))
        self._container.close()
        os.replace(self._part, self._files.video)

    def discard(self) -> None:
        """See `OpenClip`."""
        # Closing writes an index, for which a full disk has no room either.
        with suppress(av.FFmpegError, OSError):
            self._container.close()
        self._part.unlink(missing_ok=True)
