import hashlib
import pickle

import pytest
import torch
from torch import nn

from savg_ray.errors import UserError
from savg_ray.weights.choose import FILLED, ResolvedWeights, WeightsChoice, load_network
from savg_ray.weights.fill import fill_deterministic
from savg_ray.weights.sources import WEIGHT_FILES, WeightFile
from savg_ray.weights.store import WeightStore


def build():
    return nn.Linear(3, 2)


def fill(network):
    return fill_deterministic(network, 7)


@pytest.fixture
def store(tmp_path):
    # The published sum would refuse a file made here.
    file = WeightFile(name="i3d", file_name="i3d_pretrained_400.pt", sources=(), page="", licence="")
    return WeightStore(tmp_path, {"i3d": file})


def put(store):
    torch.manual_seed(3)
    network = build()
    torch.save(network.state_dict(), store.path("i3d"))
    return network


def test_filled(store):
    resolved = WeightsChoice("filled", store).resolve("i3d")
    assert resolved == ResolvedWeights("i3d", FILLED, None, None)
    assert resolved.source == "filled (numbers carry no meaning)"
    network = load_network(resolved, build, fill)
    assert torch.equal(network.weight, fill(build()).weight)


def test_official(store):
    written = put(store)
    resolved = WeightsChoice("official", store).resolve("i3d")
    path = store.path("i3d")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert resolved == ResolvedWeights("i3d", "official (i3d_pretrained_400.pt)", digest, path)
    network = load_network(resolved, build, fill)
    assert torch.equal(network.weight, written.weight) and torch.equal(network.bias, written.bias)


def test_missing_official(store):
    with pytest.raises(UserError) as caught:
        WeightsChoice("official", store).resolve("i3d")
    for part in (
        "i3d_pretrained_400.pt",
        str(store.root),
        "`savg weights fetch i3d`",
        "`--weights-dir DIR`",
        "`--weights filled`",
    ):
        assert part in str(caught.value)


def test_official_file_that_changed(store):
    put(store)
    choice = WeightsChoice("official", store)
    choice.resolve("i3d")
    torch.save(nn.Linear(30, 2).state_dict(), store.path("i3d"))
    with pytest.raises(UserError, match="first use"):
        choice.resolve("i3d")


def test_not_the_published_file(tmp_path):
    store = WeightStore(tmp_path)
    put(store)
    with pytest.raises(UserError, match=WEIGHT_FILES["i3d"].git_blob):
        WeightsChoice("official", store).resolve("i3d")


def test_unknown_mode_and_name(store):
    with pytest.raises(UserError, match="--weights none is unknown; use official or filled"):
        WeightsChoice("none", store)
    for mode in ("official", "filled"):
        with pytest.raises(UserError, match="i4d"):
            WeightsChoice(mode, store).resolve("i4d")


def test_file_of_another_network(store):
    put(store)
    resolved = WeightsChoice("official", store).resolve("i3d")
    with pytest.raises(UserError, match=r"weight of shape \(2, 3\), not \(5, 3\)"):
        load_network(resolved, lambda: nn.Linear(3, 5), fill)


def test_plain_data_travels(store):
    put(store)
    choice = WeightsChoice("official", store)
    assert pickle.loads(pickle.dumps(choice)) == choice
    resolved = choice.resolve("i3d")
    assert pickle.loads(pickle.dumps(resolved)) == resolved
