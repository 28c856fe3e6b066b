import hashlib

import pytest
import torch
from safetensors.torch import load_file

from savg_ray.errors import UserError
from savg_ray.weights import bundle as bundle_module
from savg_ray.weights.bundle import BUNDLED, LARGEST_BYTES, Bundle


@pytest.fixture
def state():
    generator = torch.Generator().manual_seed(0)
    return {
        "conv.weight": torch.randn(4, 3, 3, generator=generator),
        "norm.weight": torch.randn(4, generator=generator),
        "norm.running_var": torch.full((4,), 1e6),
        "norm.num_batches_tracked": torch.tensor(70_000),
    }


def test_matrices_are_halved_and_the_rest_stays(tmp_path, state):
    path = Bundle(tmp_path / "new").add("seld_mini", state)
    kept = load_file(path)
    assert path.name == "seld_mini.safetensors"
    assert kept["conv.weight"].dtype == torch.float16
    torch.testing.assert_close(kept["conv.weight"].float(), state["conv.weight"], rtol=1e-3, atol=1e-6)
    for key in ("norm.weight", "norm.running_var", "norm.num_batches_tracked"):
        assert kept[key].dtype == state[key].dtype
        assert torch.equal(kept[key], state[key])


def test_sums_are_written_as_sha256sum_does_and_checked(tmp_path, state):
    bundle = Bundle(tmp_path)
    first, second = bundle.add("seld_mini", state), bundle.add("audio_mini", {"a": torch.ones(2)})
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in (second, first)]
    assert (tmp_path / "SHA256SUMS").read_text().splitlines() == lines
    assert bundle.sha256("seld_mini") == lines[1].split()[0]
    first.write_bytes(first.read_bytes() + b" ")
    with pytest.raises(UserError, match=r"seld_mini\.safetensors has sha256 .* instead of .* in SHA256SUMS"):
        bundle.sha256("seld_mini")
    bundle.add("seld_mini", state)
    assert bundle.sha256("seld_mini") == lines[1].split()[0]
    assert bundle.sha256("audio_mini") == lines[0].split()[0]


def test_what_cannot_be_bundled(tmp_path, state, monkeypatch):
    bundle = Bundle(tmp_path)
    with pytest.raises(UserError, match="no bundled weights are called 'i3d'; the names are mm_mini, "):
        bundle.add("i3d", state)
    for bad in (1e6, float("nan")):
        with pytest.raises(UserError, match=r"conv\.weight holds values beyond what float16 can"):
            bundle.add("seld_mini", state | {"conv.weight": torch.full((2, 2), bad)})
    size_bytes = bundle.add("audio_mini", state).stat().st_size
    monkeypatch.setattr(bundle_module, "LARGEST_BYTES", 2 * size_bytes - 1)
    with pytest.raises(UserError, match="With seld_mini the bundled weights would take"):
        bundle.add("seld_mini", state)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["SHA256SUMS", "audio_mini.safetensors"]


def test_a_missing_file_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match=r"sr_mini\.safetensors is missing: .* `--weights filled`"):
        Bundle(tmp_path).sha256("sr_mini")


def test_what_comes_with_the_package_is_as_recorded_and_small():
    bundle = Bundle()
    there = [name for name in BUNDLED if bundle.path(name).is_file()]
    for name in there:
        assert len(bundle.sha256(name)) == 64
    files = sorted(path.name for path in bundle.folder.iterdir())
    assert files == sorted(["SHA256SUMS", *(bundle.path(name).name for name in there)])
    assert sum(bundle.path(name).stat().st_size for name in there) <= LARGEST_BYTES == 40_000_000
