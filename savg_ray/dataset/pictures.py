"""The pictures of a 360° video: only those that are wanted, decoded in one pass."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from savg_ray.errors import ClipError

# A picture that is missing gives way to the next one, up to this many further on.
_GAP_FRAMES = 3
# Key frames are indexed by decoding time, which runs ahead of the picture's own by reordering: H.264 allows 16.
_REORDERING_FRAMES = 16


@dataclass(frozen=True)
class VideoHeader:
    """Sizes and rates of a 360° video.

    Attributes:
        fps: frames per second, exact.
        n_frames: as the container tells.
        width_px, height_px: of the equirectangular picture.
    """

    fps: Fraction
    n_frames: int
    width_px: int
    height_px: int

    @property
    def length_s(self) -> float:
        """Length in seconds."""
        return float(self.n_frames / self.fps)


def read_header(path: Path) -> VideoHeader:
    """Look at a 360° video without decoding it.

    Raises:
        ClipError: ``bad_video`` unless it is a readable equirectangular video, twice as wide as high.
    """
    with _open(path) as container:
        stream = container.streams.video[0]
        header = VideoHeader(stream.average_rate or Fraction(0), stream.frames, stream.width, stream.height)
    if not header.fps or not header.n_frames:
        raise ClipError("bad_video", f"{path} does not tell its rate and number of frames; write it again as mp4.")
    if header.width_px != 2 * header.height_px:
        size = f"{header.width_px}x{header.height_px}"
        raise ClipError("bad_video", f"{path} is {size}; an equirectangular picture is twice as wide as high.")
    return header


def pictures_at(path: Path, wanted: Iterable[int]) -> Iterator[tuple[int, np.ndarray]]:
    """The wanted pictures of a video, decoded in one pass on one thread.

    Stretches without wanted pictures are jumped over where a key frame lies between, and unwanted pictures that no
    other needs are not decoded.

    Args:
        path: the video.
        wanted: frame numbers, rising; frame n is the one shown at n / fps.

    Yields:
        (frame number, uint8 RGB (H, W, 3)).

    Raises:
        ClipError: ``bad_video`` when the video is damaged or ends early.
    """
    left = list(wanted)[::-1]
    if not left:
        return
    try:
        with _open(path) as container:
            yield from _decode(container, left, path)
    except av.FFmpegError as error:
        raise _damage(path, left, error.strerror or str(error)) from error
    if left:
        raise _damage(path, left, "no picture")


def _decode(container: av.container.InputContainer, left: list[int], path: Path) -> Iterator[tuple[int, np.ndarray]]:
    """Takes from the end of ``left`` what it yields."""
    stream = container.streams.video[0]
    stream.codec_context.thread_count = 1
    clock = _Clock(stream)
    key_frames = clock.key_frames()
    needed = set(left)
    # One converter for all pictures: it keeps its tables.
    converter = VideoReformatter()
    at = -1
    while left:
        if _is_worth_a_jump(key_frames, at, left[-1]):
            container.seek(clock.timestamp(left[-1] - _REORDERING_FRAMES), stream=stream, backward=True)
        for packet in container.demux(stream):
            unwanted = packet.pts is not None and clock.frame_number(packet.pts) not in needed
            stream.codec_context.skip_frame = "NONREF" if unwanted else "DEFAULT"
            before = left[-1] if left else None
            for frame in packet.decode():
                at = clock.frame_number(frame.pts)
                yield from _take(frame, at, left, converter, path)
            if not left:
                return
            if left[-1] != before and _is_worth_a_jump(key_frames, at, left[-1]):
                break
        else:
            return


def _take(
    frame: av.VideoFrame, at: int, left: list[int], converter: VideoReformatter, path: Path
) -> Iterator[tuple[int, np.ndarray]]:
    picture = None
    while left and left[-1] <= at:
        if at - left[-1] > _GAP_FRAMES or frame.is_corrupt:
            raise _damage(path, left, f"frame {left[-1]} is missing")
        if picture is None:
            picture = converter.reformat(frame, format="rgb24", threads=1).to_ndarray()
        yield left.pop(), picture


def _is_worth_a_jump(key_frames: np.ndarray, at: int, wanted: int) -> bool:
    first = np.searchsorted(key_frames, at + 1 + _REORDERING_FRAMES)
    return first < len(key_frames) and key_frames[first] <= wanted - _REORDERING_FRAMES


class _Clock:
    """Frame numbers of timestamps and back."""

    def __init__(self, stream: av.VideoStream) -> None:
        self._entries = stream.index_entries
        self._start = stream.start_time or 0
        self._frames_per_tick = stream.time_base * stream.average_rate

    def frame_number(self, timestamp: int) -> int:
        return round((timestamp - self._start) * self._frames_per_tick)

    def timestamp(self, frame_number: int) -> int:
        return self._start + max(0, round(frame_number / self._frames_per_tick))

    def key_frames(self) -> np.ndarray:
        """Rising frame numbers, by decoding time; none where the container keeps no index."""
        stamps = [entry.timestamp for entry in self._entries if entry.is_keyframe]
        return np.array(sorted(self.frame_number(stamp) for stamp in stamps), np.int64)


def _open(path: Path) -> av.container.InputContainer:
    try:
        container = av.open(str(path), metadata_errors="ignore")
    except (av.FFmpegError, OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or str(error)
        raise ClipError("bad_video", f"{path} cannot be read as video ({cause}); write it again.") from error
    if not container.streams.video:
        container.close()
        raise ClipError("bad_video", f"{path} has no video stream; write it again.")
    return container


def _damage(path: Path, left: list[int], cause: str) -> ClipError:
    return ClipError("bad_video", f"{path} is damaged or ends early: {cause} at frame {left[-1]}; write it again.")
