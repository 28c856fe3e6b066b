import subprocess
import sys
from pathlib import Path

import pytest

from jobs.folder_lock import alone_in
from savg_ray.errors import UserError

RUN = """
import sys, time
from pathlib import Path
from jobs.folder_lock import alone_in
with alone_in(Path(sys.argv[1])):
    print("in", flush=True)
    time.sleep(600)
"""


def test_a_folder_is_one_runs_own_until_that_dies(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", RUN, tmp_path], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    ) as first:
        assert first.stdout.readline() == b"in\n"
        with pytest.raises(UserError, match=f"Another run is filling {tmp_path}; wait for it"), alone_in(tmp_path):
            pass
        first.kill()
    with alone_in(tmp_path):
        pass


def test_a_folder_that_cannot_be_locked_is_one_sentence(tmp_path):
    (tmp_path / ".lock").mkdir()
    with pytest.raises(UserError, match=f"The folder {tmp_path} cannot be written"), alone_in(tmp_path):
        pass


def test_what_goes_wrong_inside_is_not_taken_for_the_lock(tmp_path):
    with pytest.raises(PermissionError), alone_in(tmp_path):
        raise PermissionError("of something else")
    with alone_in(tmp_path):
        pass
