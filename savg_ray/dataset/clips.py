"""All kept clips of a recording, written in one pass over its video."""

from collections import Counter
from collections.abc import Callable
from fractions import Fraction

from savg_ray.dataset.annotations import Annotations
from savg_ray.dataset.clip_files import OpenClip, PictureMaker, open_clip, view_of
from savg_ray.dataset.config import LABEL_RATE_HZ, DatasetConfig
from savg_ray.dataset.layout import DatasetFiles
from savg_ray.dataset.pictures import VideoHeader, pictures_at
from savg_ray.dataset.recordings import Recording
from savg_ray.dataset.sound import ViewableSound, read_ambisonics
from savg_ray.dataset.windows import Candidates
from savg_ray.spatial.perspective import Projector


def frame_numbers(start_frame: int, config: DatasetConfig, video: VideoHeader) -> list[int]:
    """The pictures of a 360° video that a clip shows.

    Picture k is frame round((start + k / fps) * source fps); with the rate of the source, the frames that follow
    round(start * source fps), as many as the official generator of DCASE2025 takes.
    """
    start_s = start_frame / LABEL_RATE_HZ
    fps = config.pictures.fps
    if fps is None:
        first = round(start_s * video.fps)
        numbers = range(first, first + round(config.window_s * video.fps))
    else:
        numbers = [round((start_s + k / fps) * float(video.fps)) for k in range(round(config.window_s * fps))]
    return [min(number, video.n_frames - 1) for number in numbers]


class ClipSweep:
    """Writes the kept clips of one recording.

    Every wanted picture is decoded once, and projected once for each yaw that needs it, whatever number of windows
    overlap there. A clip is written and forgotten as soon as its last picture has come, so that the memory depends
    on how many clips overlap, never on the length of the recording.

    Args:
        recording: where pictures and sound are.
        files: where clips go.
        config: how clips are made.
        video: the header of the recording's video.
        annotations: the labels to write.
        tick: called after each window.
    """

    def __init__(
        self,
        recording: Recording,
        files: DatasetFiles,
        config: DatasetConfig,
        video: VideoHeader,
        annotations: Annotations,
        tick: Callable[[], None],
    ) -> None:
        self._recording, self._files, self._config = recording, files, config
        self._video, self._annotations, self._tick = video, annotations, tick
        self._fps = (
            video.fps if config.pictures.fps is None else Fraction(config.pictures.fps).limit_denominator(1001)
        )
        self._open: dict[int, dict[int, OpenClip]] = {}

    def write(self, kept: Candidates) -> None:
        """Write a clip for each of the candidates.

        Raises:
            ClipError: sound or video is damaged.
            OSError, av.FFmpegError: a file cannot be written.
        """
        for folder in self._files.folders(self._recording).values():
            folder.mkdir(parents=True, exist_ok=True)
        yaws_by_start: dict[int, list[int]] = {}
        for start, yaw in zip(kept.start_frame.tolist(), kept.yaw_deg.tolist(), strict=True):
            yaws_by_start.setdefault(start, []).append(yaw)
        try:
            self._sweep(yaws_by_start)
        finally:
            for clips in self._open.values():
                for clip in clips.values():
                    clip.discard()

    def _sweep(self, yaws_by_start: dict[int, list[int]]) -> None:
        starts_by_number: dict[int, list[int]] = {}
        for start in yaws_by_start:
            # A slow source shows the same frame twice, so a start may come twice.
            for number in frame_numbers(start, self._config, self._video):
                starts_by_number.setdefault(number, []).append(start)
        left = Counter(start for starts in starts_by_number.values() for start in starts)
        projector = Projector(view_of(self._config), self._video.width_px, self._video.height_px)
        make_picture = PictureMaker(self._config)
        for number, picture in pictures_at(self._recording.video, sorted(starts_by_number)):
            views = {}
            for start in starts_by_number[number]:
                for yaw, clip in self._clips_of(start, yaws_by_start[start]).items():
                    if yaw not in views:
                        views[yaw] = make_picture(projector.project(picture, yaw))
                    clip.add(views[yaw])
                left[start] -= 1
                if not left[start]:
                    self._finish(start)
                    self._tick()

    def _clips_of(self, start: int, yaws: list[int]) -> dict[int, OpenClip]:
        if start not in self._open:
            self._open[start] = {}
            for yaw in yaws:
                files = self._files.clip(self._recording, start, yaw)
                self._open[start][yaw] = open_clip(files, self._config, self._fps)
        return self._open[start]

    def _finish(self, start: int) -> None:
        config = self._config
        sound = window_sound(self._recording, start, config)
        rows = self._annotations.between(start, start + config.windows.length_frames)
        for yaw, clip in self._open[start].items():
            clip.finish(sound.stereo(yaw), rows, yaw)
        del self._open[start]


def window_sound(recording: Recording, start_frame: int, config: DatasetConfig) -> ViewableSound:
    """The sound of one window, ready for all yaws.

    Raises:
        ClipError: the sound is damaged.
    """
    ambisonics = read_ambisonics(recording.sound, start_frame / LABEL_RATE_HZ, config.window_s)
    return ViewableSound(ambisonics, config.sound)
