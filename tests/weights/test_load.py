import os
import pickle
import sys
import types

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from savg_ray.errors import UserError
from savg_ray.weights.load import load_state_dict, load_strict

BOTH_FORMATS = pytest.mark.parametrize("zip_format", [True, False])


def small_network():
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


@pytest.fixture
def state():
    torch.manual_seed(0)
    return small_network().state_dict()


def save(content, path, zip_format=True):
    torch.save(content, path, _use_new_zipfile_serialization=zip_format)
    return path


def assert_same(found, expected):
    assert list(found) == list(expected)
    assert all(torch.equal(found[key], expected[key]) and found[key].dtype == expected[key].dtype for key in expected)


@BOTH_FORMATS
def test_bare_state_dict(tmp_path, state, zip_format):
    assert_same(load_state_dict(save(state, tmp_path / "i3d.pt", zip_format), "i3d"), state)


@BOTH_FORMATS
@pytest.mark.parametrize(("network", "container"), [("seld", "model_state_dict"), ("yolox_tiny", "state_dict")])
def test_checkpoint_of_training(tmp_path, state, network, container, zip_format):
    checkpoint = {container: state, "epoch": 3, "random": np.random.RandomState(0).get_state()}
    assert_same(load_state_dict(save(checkpoint, tmp_path / "net.pth", zip_format), network), state)
    assert_same(load_state_dict(save(state, tmp_path / "bare.pth", zip_format), network), state)


def test_audioclip_keeps_the_audio_tower(tmp_path, state):
    audio = {f"audio.{key}": tensor for key, tensor in state.items()}
    full = {"logit_scale": torch.ones(()), **audio, "visual.audio.weight": torch.ones(2)}
    assert_same(load_state_dict(save(full, tmp_path / "full.pt"), "audioclip"), audio)
    with pytest.raises(UserError, match="no tensors of audioclip"):
        load_state_dict(save(state, tmp_path / "none.pt"), "audioclip")


def test_safetensors(tmp_path, state):
    path = tmp_path / "net.safetensors"
    save_file(state, path)
    found = load_state_dict(path, "seld")
    assert_same({key: found[key] for key in state}, state)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(UserError, match="not a readable weight file"):
        load_state_dict(path, "seld")


@pytest.fixture
def history_buffer(monkeypatch):
    """A class of mmengine's name, importable while a file is written and gone when it is read."""

    class HistoryBuffer:
        def __init__(self, log, count):
            self.max_length = 1000000
            self._log_history = np.array(log)
            self._count_history = np.array(count)
            self._last = np.float64(log[-1])
            # Bound class methods are pickled as calls of getattr, in mmengine's own buffers too.
            self._statistics_methods = {"mean": HistoryBuffer.mean}

        @classmethod
        def mean(cls):
            pass

    HistoryBuffer.__module__ = "mmengine.logging.history_buffer"
    HistoryBuffer.__qualname__ = "HistoryBuffer"
    names = ("mmengine", "mmengine.logging", "mmengine.logging.history_buffer")
    for name in names:
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules[names[-1]].HistoryBuffer = HistoryBuffer
    return HistoryBuffer


@BOTH_FORMATS
def test_training_log_of_mmengine_is_skipped(tmp_path, state, history_buffer, monkeypatch, zip_format):
    log = {"train/loss": history_buffer([1.0, 0.5], [1, 1])}
    checkpoint = {"meta": {"epoch": 300}, "state_dict": state, "message_hub": {"log_scalars": log}}
    path = save(checkpoint, tmp_path / "yolox.pth", zip_format)
    for name in [name for name in sys.modules if name.partition(".")[0] == "mmengine"]:
        monkeypatch.delitem(sys.modules, name)
    allowed = set(torch.serialization.get_safe_globals())
    assert_same(load_state_dict(path, "yolox_tiny"), state)
    assert set(torch.serialization.get_safe_globals()) == allowed
    assert not [name for name in sys.modules if name.partition(".")[0] == "mmengine"]


class Bomb:
    def __init__(self, call, argument):
        self.call, self.argument = call, argument

    def __reduce__(self):
        return self.call, (self.argument,)


@BOTH_FORMATS
@pytest.mark.parametrize("call", [os.mkdir, exec])
def test_code_is_refused_and_not_run(tmp_path, state, call, zip_format):
    trace = tmp_path / "executed"
    argument = f"import os; os.mkdir({str(trace)!r})" if call is exec else str(trace)
    path = save({"state_dict": state, "bomb": Bomb(call, argument)}, tmp_path / "bomb.pt", zip_format)
    with pytest.raises(UserError, match=r"pickled code \(.*(mkdir|exec)\), which was not run"):
        load_state_dict(path, "yolox_tiny")
    assert not trace.exists()
    pickle.loads(pickle.dumps(Bomb(call, argument)))
    assert trace.exists()


@pytest.mark.parametrize("content", [b"", b"<html>quota</html>", b"\x80\x02.", bytes(range(256)) * 40])
def test_damaged_file(tmp_path, content):
    path = tmp_path / "net.pt"
    path.write_bytes(content)
    with pytest.raises(UserError, match="not a readable weight file") as caught:
        load_state_dict(path, "i3d")
    assert "\n" not in str(caught.value)


def test_truncated_file(tmp_path, state):
    for zip_format in (True, False):
        path = save(state, tmp_path / "net.pt", zip_format)
        path.write_bytes(path.read_bytes()[:-200])
        with pytest.raises(UserError, match="not a readable weight file"):
            load_state_dict(path, "i3d")


@pytest.mark.parametrize("content", [[1, 2], {"a": {"b": torch.ones(1)}}, {"a": 3}, torch.ones(2)])
def test_no_state_dict(tmp_path, content):
    with pytest.raises(UserError, match="not a state dict of i3d"):
        load_state_dict(save(content, tmp_path / "net.pt"), "i3d")


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match="savg weights fetch i3d"):
        load_state_dict(tmp_path / "net.pt", "i3d")


def test_load_strict(tmp_path, state):
    network = small_network()
    load_strict(network, load_state_dict(save(state, tmp_path / "net.pt"), "i3d"), tmp_path / "net.pt")
    assert_same(network.state_dict(), state)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda state: state.pop("0.bias"), "net.pt lacks 0.bias;"),
        (lambda state: state.update({"2.bias": torch.ones(1)}), "net.pt has 2.bias, which the network has not;"),
        (
            lambda state: state.update({"0.weight": torch.ones(3, 4)}),
            "net.pt has 0.weight of shape (3, 4), not (3, 2);",
        ),
    ],
)
def test_load_strict_names_the_key(tmp_path, state, change, sentence):
    network = small_network()
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    change(state)
    with pytest.raises(UserError) as caught:
        load_strict(network, state, tmp_path / "net.pt")
    assert sentence in str(caught.value)
    assert_same(network.state_dict(), before)
