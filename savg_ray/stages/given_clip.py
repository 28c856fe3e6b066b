"""Given half of a clip in: the pictures for which sound is made, or the sound for which pictures are made."""

from functools import partial
from pathlib import Path

import numpy as np

from savg_ray.errors import ClipError
from savg_ray.media.reader import read_pictures, read_sound
from savg_ray.media.resample import pcm16
from savg_ray.media.safe_reader import SafeReader
from savg_ray.sampling.config import BaseConfig
from savg_ray.sampling.small_pictures import small_pictures
from savg_ray.stages.batch import Batch, batch_length, stack_padded
from savg_ray.stages.stage import Row, Stage, asked_outcomes, with_errors

_DEADLINE_S = 30.0
_NO_PICTURES = np.zeros((1, 2, 2, 3), np.uint8)


class _GivenStage(Stage):
    """Reads files in a process that may crash."""

    name = "given"
    reads = ()

    def __init__(self, config: BaseConfig) -> None:
        self.config = config
        self._reader: SafeReader | None = None

    def load(self, device: str) -> None:
        """Get the reading process ready; it starts at the first clip."""
        self._reader = SafeReader(_DEADLINE_S)

    def close(self) -> None:
        """Stop the reading process."""
        if self._reader is not None:
            self._reader.close()


class GivenPicturesStage(_GivenStage):
    """Adds the pictures of the file ``source``, as they are and as the base diffusion knows them.

    ``made_frames`` uint8 (T, H, W, 3), padded behind to the largest of the batch, their true size in ``made_shape``
    int64 (3,), and ``making_fps``; ``given_pictures`` uint8 (F, 3, h, w).

    Args:
        config: sizes; as many seconds are read as a clip lasts.
        antialias: see `small_pictures`.
    """

    def __init__(self, config: BaseConfig, antialias: bool) -> None:
        super().__init__(config)
        self.antialias = antialias

    def __call__(self, batch: Batch) -> Batch:
        """Read every row that asks for it."""
        n, config = batch_length(batch), self.config
        done, failed = asked_outcomes(batch, self.name, lambda rows: [self._pictures(row) for row in rows])
        out = dict(batch)
        frames = [done[i][0] if i in done else _NO_PICTURES for i in range(n)]
        out["made_frames"], out["made_shape"] = stack_padded(frames), np.array([one.shape[:3] for one in frames])
        out["making_fps"] = np.array([done[i][1] if i in done else config.fps for i in range(n)])
        out["given_pictures"] = np.zeros((n, config.n_frames, 3, config.height_px, config.width_px), np.uint8)
        for i, (_, _, small) in done.items():
            out["given_pictures"][i] = small.transpose(0, 3, 1, 2)
        return with_errors(out, failed)

    def _pictures(self, row: Row) -> tuple[np.ndarray, float, np.ndarray]:
        path, config = Path(row["source"]), self.config
        frames, fps = self._reader(partial(read_pictures, duration_s=config.n_frames / config.fps), path)
        height, width = frames.shape[1:3]
        if height % 2 or width % 2:
            raise ClipError("odd_size", f"{path} has {width}x{height} pixels; H.264 needs even sizes, convert it.")
        if fps < config.fps - 1e-3:
            raise ClipError("fps_too_low", f"{path} has {fps:g} fps; at least {config.fps:g} are needed.")
        # The frame on the screen when each of the network's begins.
        shown = np.floor(np.arange(config.n_frames) * (fps / config.fps) + 1e-6).astype(np.int64)
        if shown[-1] >= len(frames):
            raise ClipError(
                "too_short",
                f"{path} has pictures for {len(frames) / fps:.2f} s, but clips last {config.n_frames / config.fps:g} "
                "s; leave it out.",
            )
        return frames, fps, small_pictures(frames[shown], config, self.antialias)


class GivenSoundStage(_GivenStage):
    """Adds the sound of the file ``source``: ``waveform`` float32 (2, L), as long as a clip, and its ``rate_hz``.

    Where up to one picture's time is missing at the end, silence stands.

    Args:
        config: sizes and rate.
    """

    def __call__(self, batch: Batch) -> Batch:
        """Read every row that asks for it."""
        n, config = batch_length(batch), self.config
        done, failed = asked_outcomes(batch, self.name, lambda rows: [self._sound(row) for row in rows])
        out = dict(batch)
        out["waveform"] = np.zeros((n, 2, config.n_samples), np.float32)
        for i, stereo in done.items():
            out["waveform"][i, :, : stereo.shape[1]] = stereo
        out["rate_hz"] = np.full(n, config.rate_hz)
        return with_errors(out, failed)

    def _sound(self, row: Row) -> np.ndarray:
        path, config = Path(row["source"]), self.config
        stereo, rate_hz = self._reader(read_sound, path)
        if len(stereo) != 2:
            raise ClipError("not_stereo", f"{path} has {len(stereo)} channels of sound; two are needed.")
        if rate_hz != config.rate_hz:
            stereo = pcm16(stereo, rate_hz, config.rate_hz).astype(np.float32) / np.float32(32768)
        if stereo.shape[1] < config.n_samples - config.rate_hz / config.fps:
            raise ClipError(
                "too_short",
                f"{path} has sound for {stereo.shape[1] / config.rate_hz:.2f} s, but clips last "
                f"{config.n_samples / config.rate_hz:g} s; leave it out.",
            )
        return stereo[:, : config.n_samples]
