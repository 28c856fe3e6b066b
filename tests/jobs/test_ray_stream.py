"""Streams of cheap stages through real Ray: what happens to workers and rows that misbehave."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import ray

from actors.stage_actor import StageActor
from jobs import ray_stream
from savg_ray.config import Pool
from savg_ray.errors import ClipError, UserError
from savg_ray.stages.batch import decode, object_column
from savg_ray.stages.stage import ModelStage


class Doubler(ModelStage):
    """Doubles x. It kills its own process once at ``fatal`` or always at ``deadly``, and may fail to load."""

    name = "double"
    reads = ("x",)

    def __init__(self, marker: Path, fatal: int = -1, deadly: int = -1, loading: str = "fine") -> None:
        self.marker, self.fatal, self.deadly, self.loading = marker, fatal, deadly, loading

    def load(self, device):
        if self.loading == "refused":
            raise UserError("weights.pt is not for this network; fetch the right file.")
        if self.loading == "unforeseen":
            raise KeyError("x")
        if self.loading == "deadly":
            os._exit(9)

    def run(self, rows):
        for row in rows:
            if row["x"] == self.fatal and not self.marker.exists():
                self.marker.touch()
                os._exit(9)
            if row["x"] == self.deadly:
                os._exit(9)
            if row["x"] < 0:
                raise ClipError("negative", f"{row['path']} is negative.")
        return [np.array([2 * row["x"]]) for row in rows]


class DoublerActor(StageActor):
    """Runs the doubler."""

    gpu_share = 0.0
    cpu_share = 1.0


@pytest.fixture
def run(ray_resources, monkeypatch, tmp_path):
    monkeypatch.setitem(ray_stream.ACTORS, "double", DoublerActor)

    def run_stage(values, size=2, workers=1, **options):
        batches = [
            {
                "x": np.array(values[i : i + size]),
                "path": object_column([f"{x}.mp4" for x in values[i : i + size]]),
                "todo": object_column(["double"] * len(values[i : i + size])),
                "reason": object_column([""] * len(values[i : i + size])),
                "error": object_column([""] * len(values[i : i + size])),
            }
            for i in range(0, len(values), size)
        ]
        pools = {"double": Pool(size=workers, num_cpus=0.5)}
        out = {}
        for batch in ray_stream.run_on_ray([Doubler(tmp_path / "marker", **options)], batches, pools):
            assert len(batch["path"]) <= size
            for path, data, reason in zip(batch["path"], batch["double"], batch["reason"], strict=True):
                assert path not in out
                out[path] = reason or int(decode(data)[0])
        return out

    return run_stage


def test_ray_leaves_the_end_by_sigterm_to_the_command(monkeypatch):
    def init(**_):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

    def tell(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 2.0})
    before = signal.signal(signal.SIGTERM, tell)
    try:
        assert ray_stream.connect().cpus == 2
        assert signal.getsignal(signal.SIGTERM) is tell
    finally:
        signal.signal(signal.SIGTERM, before)


def test_every_row_comes_out_once_with_its_error_or_result(run):
    values = [*range(7), -3]
    assert run(values, workers=2) == {f"{x}.mp4": 2 * x if x >= 0 else "negative" for x in values}


def test_a_killed_worker_loses_nothing_and_a_clip_that_kills_every_worker_fails_alone(run, monkeypatch, tmp_path):
    # Ray Data would end a stream that gives nothing for this long.
    monkeypatch.setattr(ray.data.DataContext.get_current(), "execution_no_progress_timeout_s", 0.5)
    done = {f"{x}.mp4": 2 * x for x in range(6)}
    assert run(list(range(6)), fatal=1, deadly=4) == done | {"4.mp4": "killed_worker"}
    assert (tmp_path / "marker").exists()


def test_a_stage_that_cannot_load_is_one_sentence(run):
    with pytest.raises(UserError, match="not for this network; fetch the right file"):
        run([1], loading="refused")


@pytest.mark.slow
def test_a_stage_that_kills_its_worker_or_stumbles_while_it_loads_is_one_sentence(run):
    with pytest.raises(UserError, match=r"the stage double died 3 times while it was loaded.*pools: double: size"):
        run([1], loading="deadly")
    with pytest.raises(UserError, match=r"could not go on \(.*KeyError: 'x'\)"):
        run([1], loading="unforeseen")


def test_nothing_to_do(run):
    assert run([]) == {}


def test_a_test_that_does_not_ask_for_ray_gets_none():
    with pytest.raises(UserError, match="this test does not ask for ray_resources"):
        ray_stream.connect()
