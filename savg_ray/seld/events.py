"""From a clip's sound to rows (frame, class, azimuth_px): windows, network, threshold, and the official CSV."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from savg_ray.csv_rows import read_number_rows
from savg_ray.errors import ClipError
from savg_ray.networks.seld import SeldNet
from savg_ray.seld.features import FRAMES_PER_S, HOP, stereo_features

THRESHOLD = 0.2
WIDTH_PX = 256
CSV_FRAMES_PER_S = 10
WINDOW_FRAMES = 128

_MARGIN = 4
_STEP = WINDOW_FRAMES - 2 * _MARGIN
_STEP_S = 1.2
_PER_CSV_FRAME = FRAMES_PER_S // CSV_FRAMES_PER_S
# One window's activations stay in a processor's cache; a GPU wants several at once.
_WINDOWS_PER_CPU_FORWARD, _WINDOWS_PER_GPU_FORWARD = 1, 8


class Window(NamedTuple):
    """Where a window lies: the first feature frame (100 Hz) and the first csv frame (10 Hz) that it reports on."""

    start_frame: int
    csv_frame: int


@dataclass(frozen=True)
class ClipWindows:
    """What the network needs of one clip, ready to be batched with others.

    ``features`` float32 (W, 3, 257, 128), ``windows`` W places, ``n_csv_frames`` whole tenths of a second.
    """

    features: np.ndarray
    windows: list[Window]
    n_csv_frames: int


def window_starts(duration_s: float, *, official: bool) -> list[Window]:
    """Places of the windows of 1.2 s that cover a clip.

    ``official`` computes starts in floating point and truncates, as the reference does: the fourth window starts at
    frame 359 instead of 360, the tenth at csv frame 107 instead of 108, and some durations that are multiples of
    1.2 s get one window more than they need. Otherwise the starts are exact and each window holds a csv frame.
    """
    if not official:
        n_csv_frames = round(duration_s * FRAMES_PER_S) // _PER_CSV_FRAME
        per_window = _STEP // _PER_CSV_FRAME
        return [Window(_STEP * i, per_window * i) for i in range(-(-n_csv_frames // per_window))]
    remainder = duration_s % _STEP_S
    is_multiple = remainder == 0 or abs(remainder - _STEP_S) < 1e-10
    times = np.arange(0, duration_s + _STEP_S if is_multiple else duration_s, _STEP_S)
    return [Window(int(time * FRAMES_PER_S), int(time * CSV_FRAMES_PER_S)) for time in times]


def loop_padded(features: np.ndarray) -> np.ndarray:
    """Features (..., T) with their last 4 frames in front and their first 128 behind (fewer when T is smaller)."""
    return np.concatenate([features[..., -_MARGIN:], features, features[..., :WINDOW_FRAMES]], axis=-1)


def clip_windows(waveform: np.ndarray, *, official: bool) -> ClipWindows:
    """Cut a clip's sound, float (2, L) at 16 kHz, into the windows that can yield rows.

    Raises:
        ClipError: ``too_short`` when the looped clip cannot fill a window (below 0.62 s; officially 1.20 to 1.21 s
            too), ``not_stereo`` for another number of channels.
    """
    features = stereo_features(waveform, center=False)
    n_frames = features.shape[-1]
    padded = loop_padded(features)
    windows = window_starts(n_frames * HOP / (HOP * FRAMES_PER_S), official=official)
    n_padded = padded.shape[-1]
    if not windows or windows[-1].start_frame + WINDOW_FRAMES > n_padded:
        raise ClipError(
            "too_short",
            f"{n_frames / FRAMES_PER_S} s of sound cannot fill SELD's windows of 1.28 s; use a longer clip",
        )
    n_csv_frames = n_frames // _PER_CSV_FRAME
    windows = [window for window in windows if window.csv_frame < n_csv_frames]
    return ClipWindows(cut_windows(padded, windows), windows, n_csv_frames)


def cut_windows(padded: np.ndarray, windows: list[Window]) -> np.ndarray:
    """The windows (W, 3, 257, 128) of loop-padded features (3, 257, T + 132)."""
    return np.stack([padded[..., w.start_frame : w.start_frame + WINDOW_FRAMES] for w in windows])


def run_windows(net: SeldNet, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Activity logits and positions, float32 (W, 2, 120) each, of windows (W, 3, 257, 128), margins removed."""
    device = next(net.parameters()).device
    together = _WINDOWS_PER_CPU_FORWARD if device.type == "cpu" else _WINDOWS_PER_GPU_FORWARD
    outputs = []
    with torch.inference_mode():
        for chunk in torch.from_numpy(features).split(together):
            outputs.append(torch.stack(net(chunk.to(device))).float().cpu())
    logits, position = torch.cat(outputs, dim=1)[..., _MARGIN:-_MARGIN].numpy()
    return logits, position


def event_rows(logits: np.ndarray, position: np.ndarray, windows: list[Window], n_csv_frames: int) -> np.ndarray:
    """Rows (frame, class, azimuth_px), float64 (n, 3) sorted by frame, from ``run_windows`` outputs (W, 2, 120).

    Class c is reported in a csv frame when its mean probability over the frame's ten steps exceeds 0.2; azimuth is
    the probability-weighted mean position times 256. Frames from ``n_csv_frames`` on are dropped.
    """
    shape = (*logits.shape[:2], -1, _PER_CSV_FRAME)
    probability = 1 / (1 + np.exp(-logits.astype(np.float64).reshape(shape)))
    azimuth_px = (probability * position.reshape(shape)).sum(-1) / probability.sum(-1) * WIDTH_PX
    frame = np.array([window.csv_frame for window in windows])[:, None, None] + np.arange(probability.shape[2])
    reported = (probability.mean(-1) > THRESHOLD) & (frame < n_csv_frames)
    # Window, frame, class: the order in which rows are found decides among rows of one frame.
    window, step, label = np.nonzero(reported.transpose(0, 2, 1))
    rows = np.stack([frame[window, 0, step], label, azimuth_px[window, label, step]], axis=1)
    return rows[np.argsort(rows[:, 0], kind="stable")]


def detect_events(net: SeldNet, waveform: np.ndarray, *, official: bool) -> np.ndarray:
    """Rows (frame, class, azimuth_px), float64 (n, 3), of one clip's sound, float (2, L) at 16 kHz.

    Frames are tenths of a second, classes 0 speech and 1 instrument, azimuths pixels of a 256 px wide picture (they
    may fall outside of it). ``net`` is in eval mode; ``official`` keeps the reference's truncated window starts.

    Raises:
        ClipError: as ``clip_windows``.
    """
    clip = clip_windows(waveform, official=official)
    return event_rows(*run_windows(net, clip.features), clip.windows, clip.n_csv_frames)


def write_rows(path: Path, rows: np.ndarray) -> None:
    """Write rows (n, 3) as the official SELD CSV: all numbers as floats, no header, 0 bytes when there are none."""
    path.write_text("".join(f"{frame!r},{label!r},{x_px!r}\n" for frame, label, x_px in rows.astype(float).tolist()))


def read_rows(path: Path) -> np.ndarray:
    """Rows (frame, class, azimuth_px), float64 (n, 3), of a SELD CSV; ClipError ``bad_rows`` when it is not one."""
    return read_number_rows(path, ("frame", "class", "azimuth_px"))
