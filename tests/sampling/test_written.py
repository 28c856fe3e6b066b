import numpy as np

from savg_ray.clips import Clip
from savg_ray.media.reader import read_clip
from savg_ray.media.writer import write_clip
from savg_ray.sampling.written import Origin, origin_of

CLIP = Clip("a", np.zeros((4, 32, 32, 3), np.uint8), 4.0, np.zeros((2, 16000), np.float32), 16000)
ORIGIN = Origin("0123abcd", 44, "out of memory at 8 at a time, went on with 4")


def test_a_file_says_what_it_was_made_from_and_reads_as_ever(tmp_path):
    write_clip(tmp_path / "a.mp4", CLIP, "aac", ORIGIN.comment())
    assert origin_of(tmp_path / "a.mp4") == ORIGIN
    assert read_clip(tmp_path / "a.mp4").waveform.shape == CLIP.waveform.shape


def test_what_is_missing_damaged_or_not_ours_says_nothing(tmp_path):
    write_clip(tmp_path / "a.mp4", CLIP, "aac", ORIGIN.comment())
    data = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "half.mp4").write_bytes(data[: len(data) // 2])
    (tmp_path / "empty.mp4").write_bytes(b"")
    write_clip(tmp_path / "foreign.mp4", CLIP)
    write_clip(tmp_path / "words.mp4", CLIP, comment="[1, 2]")
    for name in ("half", "empty", "foreign", "words", "nowhere"):
        assert origin_of(tmp_path / f"{name}.mp4") is None, name
