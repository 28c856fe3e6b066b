import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from jobs.weights import app
from savg_ray.errors import UserError
from savg_ray.weights.bundle import BUNDLED, Bundle
from savg_ray.weights.sources import WEIGHT_FILES, Source, WeightFile
from tests.weights.server import Remote, serving

CONTENTS = {"one.pt": b"first", "two.pt": b"second"}


@pytest.fixture
def files(monkeypatch):
    with serving(Remote(dict(CONTENTS))) as remote:
        files = {
            name: WeightFile(name, f"{name}.pt", (Source(remote.url(f"{name}.pt")),), f"https://{name}", "free")
            for name in ("one", "two")
        }
        monkeypatch.setattr("savg_ray.weights.store.WEIGHT_FILES", files)
        yield remote


@pytest.fixture(autouse=True)
def bundled(tmp_path, monkeypatch):
    """An empty bundle in the place of the package's."""
    folder = tmp_path / "bundled"
    monkeypatch.setattr("jobs.weights.Bundle", lambda: Bundle(folder))
    return folder


def invoke(*words):
    return CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})


def sentence(result):
    assert isinstance(result.exception, UserError)
    return str(result.exception)


def test_list_shows_every_file(tmp_path):
    result = invoke("list", "--weights-dir", str(tmp_path))
    assert result.exit_code == 0
    for name, file in WEIGHT_FILES.items():
        assert name in result.stdout and file.file_name in result.stdout and file.page in result.stdout
    assert "537.3 MB" in result.stdout and str(tmp_path) in result.stdout
    assert "yes" not in result.stdout
    for name, purpose in BUNDLED.items():
        assert f"{name}.safetensors" in result.stdout and purpose in result.stdout


def test_bundle_puts_an_export_into_the_package(tmp_path, bundled):
    export = tmp_path / "model.pt"
    torch.save({"weight": torch.ones(3, 2)}, export)
    result = invoke("bundle", "audio_mini", str(export))
    assert result.exit_code == 0
    path = bundled / "audio_mini.safetensors"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert str(path) in result.stdout and digest in result.stdout
    here = ("--weights-dir", str(tmp_path))
    row = next(line for line in invoke("list", *here).stdout.splitlines() if " audio_mini " in line)
    assert "bundled" in row and digest[:12] in row
    assert invoke("verify", *here).stdout == f"audio_mini: {digest}\n"
    path.write_bytes(b"tampered")
    assert "audio_mini.safetensors has sha256" in sentence(invoke("verify", "audio_mini", *here))


def test_what_cannot_be_bundled_or_fetched(tmp_path, bundled):
    assert "nowhere.pt does not exist; name a file that `savg train` exported" in sentence(
        invoke("bundle", "audio_mini", str(tmp_path / "nowhere.pt"))
    )
    assert "no bundled weights are called 'seld'" in sentence(invoke("bundle", "seld", str(tmp_path / "nowhere.pt")))
    assert "seld_mini comes with this package" in sentence(invoke("fetch", "seld_mini"))


def test_list_after_fetch(tmp_path, files):
    here = ("--weights-dir", str(tmp_path))
    assert invoke("fetch", "one", *here).exit_code == 0
    result = invoke("list", *here)
    one, two = (next(line for line in result.stdout.splitlines() if name in line) for name in (" one ", " two "))
    assert "yes" in one and hashlib.sha256(b"first").hexdigest()[:12] in one
    assert "no" in two


def test_fetch_all_and_verify(tmp_path, files):
    here = ("--weights-dir", str(tmp_path))
    result = invoke("fetch", "--all", *here)
    assert result.exit_code == 0
    assert {path.name for path in tmp_path.glob("*.pt")} == set(CONTENTS)
    result = invoke("verify", *here)
    assert result.exit_code == 0
    sums = [hashlib.sha256(content).hexdigest() for content in CONTENTS.values()]
    assert result.stdout.splitlines() == [f"one: {sums[0]}", f"two: {sums[1]}"]


def test_the_folder_may_come_from_the_environment(tmp_path, files, monkeypatch):
    monkeypatch.setenv("SAVG_WEIGHTS_DIR", str(tmp_path / "weights"))
    assert invoke("fetch", "two").exit_code == 0
    assert (tmp_path / "weights" / "two.pt").read_bytes() == b"second"


def test_verify_goes_on_after_a_fault(tmp_path, files):
    here = ("--weights-dir", str(tmp_path))
    invoke("fetch", "--all", *here)
    (tmp_path / "one.pt").write_bytes(b"tampered")
    result = invoke("verify", *here)
    assert "one.pt has sha256" in sentence(result)
    assert "two: " in result.stdout and "one: " not in result.stdout


def test_nothing_named(tmp_path, files):
    here = ("--weights-dir", str(tmp_path))
    assert "one, two" in sentence(invoke("fetch", *here))
    assert "no weight files" in sentence(invoke("verify", *here))
    assert "savg weights fetch one" in sentence(invoke("verify", "one", *here))


def test_unknown_name_is_said_before_anything_is_fetched(tmp_path, files):
    assert "'three'" in sentence(invoke("fetch", "one", "three", "--weights-dir", str(tmp_path)))
    assert files.asked == []


def test_alone_as_a_module(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "jobs.weights", "fetch", "i4d", "--weights-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: no weights are called 'i4d'") and done.stderr.count("\n") == 1
