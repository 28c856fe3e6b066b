import numpy as np
import pytest
import torch

from savg_ray.errors import ClipError, DeviceLost
from savg_ray.stages.batch import decode, encode, joined, object_column, row_batches, stack_padded
from savg_ray.stages.sequential import run_sequential
from savg_ray.stages.stage import ModelStage, drop_at_last_reader


class Doubler(ModelStage):
    """Doubles x; a negative x is a bad clip, 13 a bug, and more than two at once are too many for the memory."""

    name = "double"
    reads = ("x",)

    def load(self, device):
        self.calls = []

    def run(self, rows):
        self.calls.append(len(rows))
        if len(rows) > 2:
            raise torch.OutOfMemoryError("too many")
        for row in rows:
            if row["x"] < 0:
                raise ClipError("negative", f"{row['path']} is negative.")
            if row["x"] == 13:
                raise ZeroDivisionError("unlucky")
        return [np.array([2 * row["x"]]) for row in rows]


def batch_of(*values, todo="double"):
    n = len(values)
    return {
        "x": np.array(values),
        "path": object_column([f"{value}.mp4" for value in values]),
        "todo": object_column([todo] * n),
        "reason": object_column([""] * n),
        "error": object_column([""] * n),
    }


def loaded():
    stage = Doubler()
    stage.load("cpu")
    return stage


def test_every_row_gets_its_result_and_cost():
    out = loaded()(batch_of(1, 2))
    assert [decode(data)[0] for data in out["double"]] == [2, 4]
    assert (out["double_cpu_s"] >= 0).all()


def test_a_batch_too_large_is_halved_until_it_fits():
    stage = loaded()
    out = stage(batch_of(1, 2, 3, 4, 5))
    assert [decode(data)[0] for data in out["double"]] == [2, 4, 6, 8, 10]
    assert stage.calls[0] == 5
    assert not any(out["reason"])


def test_bad_rows_cost_no_other_row():
    out = loaded()(batch_of(1, -5, 13, 4))
    assert list(out["reason"]) == ["", "negative", "failed", ""]
    assert out["error"][1] == "-5.mp4 is negative."
    assert "13.mp4: double failed (ZeroDivisionError: unlucky)" in out["error"][2]
    assert [decode(out["double"][i])[0] for i in (0, 3)] == [2, 8]


def test_rows_with_an_error_or_without_the_task_pass_through():
    batch = batch_of(1, 2)
    batch["reason"] = object_column(["mono", ""])
    assert loaded()(batch)["double"][0] == b""
    assert list(loaded()(batch_of(1, 2, todo="other,doubles"))["double"]) == [b"", b""]


def test_the_input_stays_untouched():
    batch = batch_of(-1, 2)
    for column in batch.values():
        column.flags.writeable = False
    out = loaded()(batch)
    assert list(batch["reason"]) == ["", ""]
    assert out["reason"][0] == "negative"


def test_large_columns_end_with_their_last_reader():
    first, second = Doubler(), Doubler()
    drop_at_last_reader([first, second])
    assert first.drops == ()
    assert second.drops == ("x",)
    out = list(run_sequential([first], [batch_of(1)], "cpu"))
    assert "x" in out[0]
    drop_at_last_reader([first])
    assert "x" not in next(iter(run_sequential([first], [batch_of(1)], "cpu")))


def test_arrays_of_several_lengths_share_a_column():
    column = stack_padded([np.ones((2, 3), np.int16), np.ones((2, 5), np.int16)])
    assert column.shape == (2, 2, 5)
    assert column[0, :, 3:].sum() == 0
    assert stack_padded([np.zeros((0, 4)), np.zeros((0, 4))]).shape == (2, 1, 4)


@pytest.mark.parametrize("array", [np.zeros((0, 3)), np.arange(6.0).reshape(2, 3), np.array(["a", "b"])])
def test_arrays_survive_as_bytes(array):
    back = decode(encode(array))
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


def test_rows_apart_and_joined_are_the_batch():
    batch = batch_of(1, 2, 3) | {"frames": np.arange(12).reshape(3, 2, 2), "data": object_column([b"a", b"", b"c"])}
    rows = row_batches(batch)
    assert [row["path"][0] for row in rows] == ["1.mp4", "2.mp4", "3.mp4"]
    again = joined(rows)
    assert again.keys() == batch.keys()
    for name, column in batch.items():
        assert again[name].dtype == column.dtype and (again[name] == column).all()
    rows[1]["frames"] = np.zeros((1, 3, 1), int)
    assert joined(rows)["frames"].shape == (3, 3, 2)
    assert joined(rows)["frames"][0].tolist() == [[0, 1], [2, 3], [0, 0]]


@pytest.mark.parametrize("answers", [True, False], ids=["answers", "lost"])
def test_a_gpu_that_fails_at_everything_costs_no_other_clip(monkeypatch, answers):
    def synchronize():
        if not answers:
            raise torch.AcceleratorError("an illegal memory access was encountered")

    stage = loaded()
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", synchronize)
    if answers:
        assert list(stage(batch_of(1, 13))["reason"]) == ["", "failed"]
    else:
        with pytest.raises(DeviceLost, match=r"^1\.mp4: the GPU failed in the stage double \(ZeroDivisionError"):
            stage(batch_of(1, 13))
        assert stage.calls == [2]
