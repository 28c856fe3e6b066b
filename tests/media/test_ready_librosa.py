import os
import random
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numba
import numpy as np
import pytest

from savg_ray.media import ready_librosa as module
from savg_ray.media.ready_librosa import digest, one_at_a_time, ready_librosa
from savg_ray.metrics.temporal_av_align import audio_onsets
from savg_ray.seld.features import stereo_features

ONSETS = """
import numpy as np
from savg_ray.metrics.temporal_av_align import audio_onsets
print(len(audio_onsets(np.random.default_rng(0).standard_normal((2, 16000)).astype(np.float32), 16000)))
"""


def test_librosa_is_ready_and_numba_keeps_to_its_own_folder():
    before = numba.config.CACHE_DIR
    assert ready_librosa().__name__ == "librosa"
    assert before == numba.config.CACHE_DIR


def test_what_is_kept_serves_all_sounds(monkeypatch):
    """What were compiled for another form of sound would be written beside other processes that do the same."""
    folders = []
    monkeypatch.setattr(module, "one_at_a_time", lambda folder, fill: folders.append(folder))
    ready_librosa.__wrapped__()
    monkeypatch.undo()
    ready_librosa()
    before = {path: path.stat().st_mtime_ns for path in folders[0].rglob("*.nb?")}
    noise = np.random.default_rng(0).standard_normal((2, 100_000))
    for sound in (noise, noise.astype(np.float32), noise[:1], noise[::-1], noise[:, ::2], noise[:, :9999], 0 * noise):
        for rate_hz in (16000, 22050, 44100):
            audio_onsets(sound, rate_hz)
    for center in (True, False):
        for sound in (noise, np.asfortranarray(noise), noise[:, ::3]):
            stereo_features(sound, center=center)
    assert before == {path: path.stat().st_mtime_ns for path in folders[0].rglob("*.nb?")}
    assert len(before) > 20


def test_each_installation_has_a_folder_of_its_own(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name / "core").mkdir(parents=True)
        (tmp_path / name / "core" / "a.py").write_text("x = 1")
        os.utime(tmp_path / name / "core" / "a.py", (1000, 1000))
    one = digest(tmp_path / "one", "0.11")
    assert digest(tmp_path / "one", "0.11") == one
    assert digest(tmp_path / "one", "0.12") != one
    assert digest(tmp_path / "other", "0.11") != one
    os.utime(tmp_path / "one" / "core" / "a.py", (1000, 1001))
    assert digest(tmp_path / "one", "0.11") != one


def test_the_folder_is_filled_by_one_at_a_time_and_used_by_all(tmp_path):
    folder, inside, seen = tmp_path / "code", [], []

    def fill():
        inside.append(1)
        filled = (folder / "code.bin").exists()
        seen.append((filled, len(inside)))
        time.sleep(0.05)
        (folder / "code.bin").touch()
        inside.pop()

    threads = [threading.Thread(target=one_at_a_time, args=(folder, fill)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [filled for filled, _ in seen] == [False, True, True, True]
    assert seen[0] == (False, 1)
    assert (folder / "complete").exists()


def test_what_a_killed_process_left_is_thrown_away(tmp_path):
    folder = tmp_path / "code"

    def dies():
        (folder / "half.bin").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        one_at_a_time(folder, dies)
    assert (folder / "half.bin").exists() and not (folder / "complete").exists()
    one_at_a_time(folder, lambda: (folder / "whole.bin").touch())
    assert sorted(path.name for path in folder.iterdir()) == ["complete", "whole.bin"]


def test_a_home_that_cannot_be_written_is_done_without(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert "savg_ray_compiled" in str(module._root(""))
    assert str(module._root(str(tmp_path))) == str(tmp_path)


def _start():
    return subprocess.Popen([sys.executable, "-c", ONSETS], stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_processes_that_start_one_after_another_leave_nothing_that_crashes(tmp_path, monkeypatch):
    """Left to itself, numba's cache of librosa then crashes all later processes, often in the first round.

    Twice, the second time with librosa installed at another place.
    """
    import librosa

    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "compiled"))
    shutil.copytree(Path(librosa.__file__).parent, tmp_path / "installed" / "librosa")
    order = random.Random(0)
    for site in ("", str(tmp_path / "installed")):
        monkeypatch.setenv("PYTHONPATH", site)
        processes = []
        for _ in range(5):
            processes.append(_start())
            time.sleep(2 * order.random())
        later = [_start(), _start()]
        printed = [process.communicate(timeout=300)[0] for process in (*processes, *later)]
        assert len(set(printed)) == 1 and printed[0].strip() == "5"
    assert len(list((tmp_path / "compiled").glob("librosa_*/complete"))) == 2
