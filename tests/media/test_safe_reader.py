import ctypes
import time
from pathlib import Path

import pytest

from savg_ray.errors import ClipError
from savg_ray.media.reader import read_clip
from savg_ray.media.safe_reader import SafeReader
from savg_ray.media.writer import write_clip
from savg_ray.scenes.walker import walker_clip


def crash(path):
    ctypes.string_at(0)


def hang(path):
    time.sleep(60)


def stumble(path):
    raise KeyError("unforeseen")


def test_crash_hang_and_error_cost_one_file_each(tmp_path):
    path = tmp_path / "a.mp4"
    write_clip(path, walker_clip("a", 2))
    started = time.monotonic()
    with SafeReader(deadline_s=4.0) as reader:
        assert reader(read_clip, path).frames.shape == (20, 256, 256, 3)
        for read, reason in ((crash, "crashed"), (hang, "deadline"), (stumble, "undecodable")):
            with pytest.raises(ClipError) as caught:
                reader(read, path)
            assert caught.value.reason == reason
            assert str(path) in caught.value.message
            assert reader(read_clip, path).rate_hz == 16000
        with pytest.raises(ClipError) as caught:
            reader(read_clip, Path("nowhere.mp4"))
        assert caught.value.reason == "missing"
        assert reader.cpu_s > 0
    assert time.monotonic() - started < 30
