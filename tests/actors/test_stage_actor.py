import os
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import ray

from actors import attempts
from actors.stage_actor import StageActor, gpu_share_of_worker
from savg_ray.errors import DeviceLost, UserError
from savg_ray.stages.batch import decode, object_column
from savg_ray.stages.stage import ModelStage


@pytest.mark.parametrize(
    ("assigned", "share"), [({"GPU": 0.25}, 0.25), ({"GPU": 1.0, "CPU": 1.0}, 1.0), ({"GPU": 2.0}, 1.0), ({}, 1.0)]
)
def test_a_worker_with_a_fraction_of_a_gpu_has_that_share_of_its_memory(monkeypatch, assigned, share):
    context = SimpleNamespace(get_assigned_resources=lambda: assigned)
    monkeypatch.setattr(ray, "get_runtime_context", lambda: context)
    assert gpu_share_of_worker() == share


class Death(BaseException):
    """What a process that is killed does not get to see."""


class Doubler(ModelStage):
    """Doubles x, and dies at a 13, or when loaded."""

    name = "double"
    reads = ("x",)
    rows_stand_alone = True

    def __init__(self, dies_when_loaded=False):
        self.dies_when_loaded = dies_when_loaded

    def load(self, device):
        if self.dies_when_loaded:
            raise Death

    def run(self, rows):
        if any(row["x"] == 13 for row in rows):
            raise Death
        if any(row["x"] == 14 for row in rows):
            raise DeviceLost("the GPU failed")
        return [np.array([2 * row["x"]]) for row in rows]


class DoublerActor(StageActor):
    gpu_share = 0.0
    cpu_share = 1.0


@pytest.fixture
def live(monkeypatch):
    """Answers of workers to batches, and how many of them died: each is started again at the batch it died at."""
    context = SimpleNamespace(
        get_job_id=lambda: "job", get_actor_id=lambda: "actor", get_assigned_resources=lambda: {}
    )
    monkeypatch.setattr(ray, "get_runtime_context", lambda: context)
    monkeypatch.setattr(ray, "get_gpu_ids", lambda: [])
    table = {}
    monkeypatch.setattr(attempts, "_internal_kv_get", lambda key, namespace: table.get(key))
    monkeypatch.setattr(attempts, "_internal_kv_put", lambda key, value, namespace: table.update({key: value}))

    def delete(key, namespace):
        # The dead tidy nothing up.
        if sys.exc_info()[0] is not Death:
            table.pop(key, None)

    monkeypatch.setattr(attempts, "_internal_kv_del", delete)

    def run(stage, batches):
        answers, deaths = [], 0
        while True:
            try:
                worker = DoublerActor(stage)
                while len(answers) < len(batches):
                    answers.append(worker(batches[len(answers)]))
                return answers, deaths
            except Death:
                deaths += 1
                assert deaths < 20

    run.table = table
    return run


def batch_of(*values):
    n = len(values)
    return {
        "x": np.array(values),
        "path": object_column([f"{value}_{i}.mp4" for i, value in enumerate(values)]),
        "todo": object_column(["double"] * n),
        "reason": object_column([""] * n),
        "error": object_column([""] * n),
    }


def test_workers_that_live_leave_no_trace(live):
    (answer,), deaths = live(Doubler(), [batch_of(1, 2)])
    assert [decode(data)[0] for data in answer["double"]] == [2, 4]
    assert (deaths, live.table) == (0, {})


@pytest.mark.parametrize(("values", "n_deaths"), [((13,), 2), ((1, 13, 2), 3), ((13, 13, 2), 5)])
def test_a_clip_that_kills_its_worker_again_and_again_fails_alone(live, values, n_deaths):
    (answer, other), deaths = live(Doubler(), [batch_of(*values), batch_of(5)])
    assert list(answer["reason"]) == ["killed_worker" if value == 13 else "" for value in values]
    for value, data, error, path in zip(values, answer["double"], answer["error"], answer["path"], strict=True):
        if value == 13:
            assert error.startswith(f"{path}: 2 workers of the stage double died at it") and data == b""
        else:
            assert decode(data)[0] == 2 * value
    assert decode(other["double"][0])[0] == 10
    assert deaths == n_deaths


def test_a_worker_that_lost_its_gpu_dies_and_only_the_clip_that_costs_every_gpu_fails(live, monkeypatch):
    def die(code):
        raise Death

    monkeypatch.setattr(os, "_exit", die)
    (answer,), deaths = live(Doubler(), [batch_of(1, 14, 2)])
    assert list(answer["reason"]) == ["", "killed_worker", ""]
    assert deaths == 3


def test_a_batch_that_is_one_piece_fails_as_one(live, monkeypatch):
    monkeypatch.setattr(Doubler, "rows_stand_alone", False)
    (answer,), deaths = live(Doubler(), [batch_of(1, 13)])
    assert list(answer["reason"]) == ["killed_worker"] * 2
    assert deaths == 2


def test_a_stage_that_kills_its_worker_when_loaded_ends_the_run(live):
    with pytest.raises(UserError, match=r"the stage double died 3 times while it was loaded.*pools: double: size"):
        live(Doubler(dies_when_loaded=True), [batch_of(1)])
