"""A sheet of pictures that shows what was seen and heard in some clips, and where the two agree."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from savg_ray.metrics.spatial_av_align import spatial_av_align
from savg_ray.seld.labels import CLASSES

BOX = (255, 220, 60)
HIT = (60, 220, 90)
MISS = (240, 70, 60)
LEFT = (90, 160, 255)
RIGHT = (255, 150, 60)

PICTURES_PER_CLIP = 6
HEADER_PX, CAPTION_PX, SOUND_PX, GAP_PX = 26, 24, 48, 10

_BACKGROUND, _TEXT, _AXIS = (24, 24, 28), (230, 230, 230), (90, 90, 96)
_EVENT_PX = 8
_EVENTS_PER_S = 10
# A row darker than this in all pictures belongs to the black bars around them.
_BLACK = 24


@dataclass(frozen=True, eq=False)
class SheetClip:
    """One clip as it was scored.

    Attributes:
        caption: its name and numbers.
        frames: uint8 RGB (T, H, W, 3).
        fps: frames per second.
        waveform: float32 (2, L), left and right, of the clip's length.
        sounds: rows (frame at 10 Hz, class, x in px) of SELD.
        boxes: rows (frame, class, x0, y0, x1, y1 in px) of the detector.
    """

    caption: str
    frames: np.ndarray
    fps: float
    waveform: np.ndarray
    sounds: np.ndarray
    boxes: np.ndarray


def draw_sheet(clips: Sequence[SheetClip]) -> np.ndarray:
    """Clips below each other: pictures with boxes and sounds on them, and below these the sound over time.

    Args:
        clips: at least one; pictures of one width.

    Returns:
        uint8 RGB (H, W, 3).
    """
    strips = [_header(PICTURES_PER_CLIP * clips[0].frames.shape[2])]
    for clip in clips:
        strips += [_strip(clip)]
    return np.concatenate(strips)


def hits(clip: SheetClip) -> np.ndarray:
    """Which sound rows meet a person, bool (n,), as Spatial AV-Align counts them."""
    n_frames = len(clip.frames)
    alone = (clip.sounds[i : i + 1] for i in range(len(clip.sounds)))
    return np.array(
        [spatial_av_align(row, clip.boxes, clamp=True, n_frames=n_frames, fps=clip.fps).tp == 1 for row in alone],
        bool,
    )


def shown_frames(n_frames: int) -> list[int]:
    """The pictures that stand for the sixths of a clip: those in their middles."""
    return [int((i + 0.5) * n_frames / PICTURES_PER_CLIP) for i in range(PICTURES_PER_CLIP)]


def content_rows(frames: np.ndarray) -> slice:
    """The rows of pictures (T, H, W, 3) between black bars above and below; all rows of black pictures."""
    lit = np.flatnonzero(frames.max(axis=(0, 2, 3)) >= _BLACK)
    return slice(int(lit[0]), int(lit[-1]) + 1) if len(lit) else slice(0, frames.shape[1])


def _header(width_px: int) -> np.ndarray:
    header = _empty(HEADER_PX, width_px)
    x_px = 8
    for text, colour in (
        ("yellow: a person, as the detector sees it", BOX),
        ("green line or bar: a sound, where and when SELD hears it, with a person there", HIT),
        ("red: no person there", MISS),
        ("blue, above: level on the left", LEFT),
        ("orange, below: on the right", RIGHT),
    ):
        x_px += _write(header, text, (x_px, 18), colour) + 24
    return header


def _strip(clip: SheetClip) -> np.ndarray:
    met = hits(clip)
    rows = content_rows(clip.frames)
    pictures = [_picture(clip, number, met)[rows] for number in shown_frames(len(clip.frames))]
    row = np.concatenate(pictures, axis=1)
    caption = _empty(CAPTION_PX, row.shape[1])
    _write(caption, clip.caption, (8, 16), _TEXT)
    return np.concatenate([caption, row, _sound(clip, met, row.shape[1]), _empty(GAP_PX, row.shape[1])])


def _picture(clip: SheetClip, number: int, met: np.ndarray) -> np.ndarray:
    """A picture with its persons, and the sounds that Spatial AV-Align compares with it."""
    picture = clip.frames[number].copy()
    for _, _, x0, y0, x1, y1 in clip.boxes[clip.boxes[:, 0] == number].tolist():
        cv2.rectangle(picture, (int(x0), int(y0)), (int(x1), int(y1)), BOX, 1)
    rows = content_rows(clip.frames)
    heard_in = np.minimum(np.round(clip.sounds[:, 0] / _EVENTS_PER_S * clip.fps), len(clip.frames) - 1)
    sounds = zip(clip.sounds[heard_in == number].tolist(), met[heard_in == number], strict=True)
    for place, ((_, label, x), hit) in enumerate(sounds):
        x_px, colour = int(np.clip(x, 0, picture.shape[1] - 1)), HIT if hit else MISS
        cv2.line(picture, (x_px, rows.start), (x_px, rows.stop - 1), colour, 1)
        tip = np.array([(x_px - 6, rows.start), (x_px + 6, rows.start), (x_px, rows.start + 9)], np.int32)
        cv2.fillPoly(picture, [tip], colour)
        if place == 0:
            _write(picture, CLASSES[int(label)], (min(x_px + 4, picture.shape[1] - 72), rows.stop - 5), colour)
    # A line between pictures, so that their edges are seen.
    picture[:, 0] = _BACKGROUND
    return picture


def _sound(clip: SheetClip, met: np.ndarray, width_px: int) -> np.ndarray:
    """Levels of both channels over time, and the events below them, each a tenth of a second."""
    strip = _empty(SOUND_PX, width_px)
    middle = (SOUND_PX - _EVENT_PX) // 2
    ends = np.linspace(0, clip.waveform.shape[1], width_px + 1).astype(np.int64)
    peaks = np.maximum.reduceat(np.abs(clip.waveform), np.minimum(ends[:-1], clip.waveform.shape[1] - 1), axis=1)
    heights = np.rint(peaks / max(float(peaks.max()), 1e-6) * (middle - 2)).astype(np.int64)
    strip[middle] = _AXIS
    for x_px, (left, right) in enumerate(heights.T.tolist()):
        strip[middle - left : middle, x_px] = LEFT
        strip[middle + 1 : middle + 1 + right, x_px] = RIGHT
    px_per_event = width_px * clip.fps / (len(clip.frames) * _EVENTS_PER_S)
    for frame, hit in zip(clip.sounds[:, 0].tolist(), met, strict=True):
        begin, end = round(frame * px_per_event), round((frame + 1) * px_per_event)
        strip[SOUND_PX - _EVENT_PX + 2 :, begin : max(begin + 1, end - 1)] = HIT if hit else MISS
    return strip


def _empty(height_px: int, width_px: int) -> np.ndarray:
    return np.full((height_px, width_px, 3), _BACKGROUND, np.uint8)


def _write(picture: np.ndarray, text: str, place: tuple[int, int], colour: tuple[int, int, int]) -> int:
    """Write text with its lower left corner at a place; returns its width in pixels."""
    font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.42
    (width_px, height_px), below_px = cv2.getTextSize(text, font, size, 1)
    x_px, y_px = place
    cv2.rectangle(picture, (x_px - 1, y_px - height_px - 1), (x_px + width_px, y_px + below_px), _BACKGROUND, -1)
    cv2.putText(picture, text, place, font, size, colour, 1, cv2.LINE_AA)
    return width_px
