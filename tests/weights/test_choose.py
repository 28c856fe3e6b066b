import hashlib
import pickle

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from savg_ray.errors import UserError
from savg_ray.weights.bundle import Bundle
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
    with pytest.raises(UserError, match="--weights none is unknown; use one of official, bundled, filled"):
        WeightsChoice("none", store)
    for mode in ("official", "bundled", "filled"):
        with pytest.raises(UserError, match="i4d"):
            WeightsChoice(mode, store).resolve("i4d")


def test_file_of_another_network(store):
    put(store)
    resolved = WeightsChoice("official", store).resolve("i3d")
    with pytest.raises(UserError, match=r"weight of shape \(2, 3\), not \(5, 3\)"):
        load_network(resolved, lambda: nn.Linear(3, 5), fill)


@pytest.fixture
def bundle(tmp_path):
    bundle = Bundle(tmp_path / "bundled")
    torch.manual_seed(4)
    bundle.add("audio_mini", build().state_dict())
    return bundle


def test_bundled(store, bundle):
    choice = WeightsChoice("bundled", store, bundle)
    resolved = choice.resolve("audio_mini")
    path = bundle.path("audio_mini")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert resolved == ResolvedWeights("audio_mini", "bundled (audio_mini.safetensors)", digest, path)
    network = load_network(resolved, build, fill)
    torch.manual_seed(4)
    assert network.weight.dtype == torch.float32
    assert torch.equal(network.weight, build().weight.half().float())
    assert WeightsChoice("filled", store, bundle).resolve("sr_mini") == ResolvedWeights("sr_mini", FILLED, None, None)


def test_weights_of_ones_own_go_before_the_bundled_ones(store, bundle):
    own = store.root / "audio_mini.safetensors"
    save_file(build().state_dict(), own)
    digest = hashlib.sha256(own.read_bytes()).hexdigest()
    for mode in ("bundled", "official"):
        resolved = WeightsChoice(mode, store, bundle).resolve("audio_mini")
        assert resolved == ResolvedWeights("audio_mini", f"own ({own})", digest, own)


def test_weights_that_are_of_the_other_kind(store, bundle):
    with pytest.raises(UserError, match=r"no weights of i3d are bundled: .* preset laptop; leave it out"):
        WeightsChoice("bundled", store, bundle).resolve("i3d")
    with pytest.raises(UserError, match=r"there are no official weights of audio_mini.*leave --weights out"):
        WeightsChoice("official", store, bundle).resolve("audio_mini")
    with pytest.raises(UserError, match=r"seld_mini\.safetensors is missing"):
        WeightsChoice("bundled", store, bundle).resolve("seld_mini")


def test_bundled_weights_of_another_network(store, bundle):
    resolved = WeightsChoice("bundled", store, bundle).resolve("audio_mini")
    with pytest.raises(UserError, match=r"weight of shape \(2, 3\), not \(5, 3\)"):
        load_network(resolved, lambda: nn.Linear(3, 5), fill)


def test_plain_data_travels(store):
    put(store)
    choice = WeightsChoice("official", store)
    assert pickle.loads(pickle.dumps(choice)) == choice
    resolved = choice.resolve("i3d")
    assert pickle.loads(pickle.dumps(resolved)) == resolved
