"""The picture sheet, from known rows to known pixels."""

import numpy as np
import pytest

from savg_ray.evaluation.sheet import (
    BOX,
    CAPTION_PX,
    GAP_PX,
    HEADER_PX,
    HIT,
    LEFT,
    MISS,
    PICTURES_PER_CLIP,
    RIGHT,
    SOUND_PX,
    SheetClip,
    content_rows,
    draw_sheet,
    hits,
    shown_frames,
)

N_FRAMES, SIDE_PX = 20, 256
TOP, BOTTOM = 56, 200


def sheet_clip(sounds, boxes):
    """Grey pictures between black bars; loud on the left in the first half, on the right in the second."""
    frames = np.zeros((N_FRAMES, SIDE_PX, SIDE_PX, 3), np.uint8)
    frames[:, TOP:BOTTOM] = 128
    waveform = np.zeros((2, 80000), np.float32)
    waveform[0, :40000], waveform[1, 40000:] = 0.5, 0.5
    return SheetClip(
        "a clip", frames, 4.0, waveform, np.array(sounds, float).reshape(-1, 3), np.array(boxes, float).reshape(-1, 6)
    )


# The first picture shown is number 1, where sound frames 2 and 3 belong; the second is number 5, with 12, 13.
CLIP = sheet_clip(
    sounds=[[2, 0, 60.0], [12, 1, 230.0], [49, 0, 60.0]],
    boxes=[[1, 0, 40.0, 80.0, 90.0, 180.0], [5, 0, 100.0, 80.0, 150.0, 180.0]],
)


def parts(sheet):
    """Caption, pictures (one after another) and sound strip of the only clip of a sheet."""
    caption, picture, sound = np.split(sheet[HEADER_PX:], np.cumsum([CAPTION_PX, BOTTOM - TOP, SOUND_PX]))[:3]
    return caption, np.split(picture, PICTURES_PER_CLIP, axis=1), sound


def test_sizes_add_up():
    sheet = draw_sheet([CLIP, CLIP, CLIP])
    height = HEADER_PX + 3 * (CAPTION_PX + BOTTOM - TOP + SOUND_PX + GAP_PX)
    assert sheet.shape == (height, PICTURES_PER_CLIP * SIDE_PX, 3)
    assert sheet.dtype == np.uint8
    assert np.array_equal(draw_sheet([CLIP, CLIP, CLIP]), sheet)
    assert not np.array_equal(sheet[:HEADER_PX], np.broadcast_to(sheet[0, 0], sheet[:HEADER_PX].shape))


def test_boxes_are_where_the_detector_saw_persons():
    _, pictures, _ = parts(draw_sheet([CLIP]))
    assert shown_frames(N_FRAMES)[:2] == [1, 5]
    first, second = pictures[0], pictures[1]
    for picture, left, right in ((first, 40, 90), (second, 100, 150)):
        assert (picture[80 - TOP : 180 - TOP + 1, (left, right)] == BOX).all()
        inside = picture[90 - TOP, left + 1 : left + 10]
        assert (inside == 128).all()
    for picture in pictures[2:]:
        assert not (picture == BOX).all(axis=2).any()


def test_sounds_are_lines_that_say_whether_a_person_is_there():
    _, pictures, _ = parts(draw_sheet([CLIP]))
    assert hits(CLIP).tolist() == [True, False, False]
    assert (pictures[0][10:60, 60] == HIT).all()
    assert (pictures[1][10:60, 230] == MISS).all()
    for picture in pictures[2:]:
        assert not ((picture == HIT) | (picture == MISS)).all(axis=2).any()


def test_levels_and_events_lie_below_at_their_time():
    _, _, sound = parts(draw_sheet([CLIP]))
    width = sound.shape[1]
    is_left, is_right = (sound == LEFT).all(axis=2), (sound == RIGHT).all(axis=2)
    assert is_left[:, : width // 2 - 1].any(axis=0).all() and not is_left[:, width // 2 + 1 :].any()
    assert is_right[:, width // 2 + 1 :].any(axis=0).all() and not is_right[:, : width // 2 - 1].any()
    events = sound[-3]
    expected = {2: HIT, 12: MISS, 49: MISS}
    for tenth in range(50):
        colour = events[round((tenth + 0.4) * width / 50)]
        assert tuple(colour.tolist()) == expected.get(tenth, tuple(sound[0, 0].tolist()))


def test_a_clip_without_sounds_and_boxes_is_drawn_plain():
    caption, pictures, _ = parts(draw_sheet([sheet_clip([], [])]))
    assert len(np.unique(caption.reshape(-1, 3), axis=0)) > 2
    for picture in pictures:
        assert (picture[:, 1:] == 128).all()


def test_sounds_beyond_the_picture_stay_on_it():
    _, pictures, _ = parts(draw_sheet([sheet_clip([[2, 0, 300.0], [3, 0, -20.0]], [])]))
    assert (pictures[0][20:60, 255] == MISS).all()


@pytest.mark.parametrize(("lit", "expected"), [((10, 20), slice(10, 21)), (None, slice(0, 64))])
def test_black_bars_are_left_out(lit, expected):
    frames = np.zeros((3, 64, 64, 3), np.uint8)
    if lit:
        frames[1, lit[0]], frames[2, lit[1]] = 200, 200
    assert content_rows(frames) == expected
