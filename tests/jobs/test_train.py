"""The command that trains, on a real model and a few clips."""

import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from filelock import FileLock

from savg_ray.clips import Clip
from savg_ray.media.writer import write_clip
from savg_ray.networks.seld import SeldConfig, SeldNet
from savg_ray.training.checkpoints import checkpoint_steps, noted_validations
from savg_ray.weights.load import load_state_dict, load_strict

SMALL = """
steps: 2
batch_size: 2
schedule: {warmup_steps: 0}
checkpoint_every: 1
validate_every: 2
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("dataset")
    rng = np.random.default_rng(0)
    for split, n_clips in (("dev", 3), ("eval", 1)):
        (root / f"video_{split}").mkdir()
        (root / f"metadata_{split}").mkdir()
        for i in range(n_clips):
            waveform = (0.1 * rng.standard_normal((2, 32000)) * [[1.0], [0.3]]).astype(np.float32)
            frames = np.full((8, 256, 256, 3), 40 * i, np.uint8)
            name = f"clip{i}"
            write_clip(root / f"video_{split}" / f"{name}.mp4", Clip(name, frames, 4.0, waveform, 16000))
            rows = "".join(f"{frame},0,64,128\n" for frame in range(20))
            (root / f"metadata_{split}" / f"{name}.csv").write_text(rows)
    return root


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


def test_a_model_is_trained_exported_and_continued(savg, data, small, tmp_path):
    command = ("train", "seld", "--preset", "seld-mini", "--data", data, "--out", tmp_path / "out", "--config", small)
    code, out, err = savg(*command)
    assert code == 0, err
    assert "step 2" in out and "weights/" in out.replace("\n", "") and "2/2" in err
    [weights] = (tmp_path / "out" / "weights").glob("*.*")
    network = SeldNet(SeldConfig.mini())
    load_strict(network, load_state_dict(weights, "seld"), weights)
    small.write_text(SMALL.replace("steps: 2", "steps: 3", 1))
    code, _, err = savg(*command)
    assert code == 0, err
    steps = [row["step"] for row in pq.read_table(tmp_path / "out" / "curve.parquet").to_pylist()]
    assert steps == [1, 2, 3]
    small.write_text(SMALL.replace("batch_size: 2", "batch_size: 3"))
    code, _, err = savg(*command)
    assert code == 2 and "was trained with batch_size 2, not 3" in " ".join(err.split())


@pytest.mark.parametrize(
    ("arguments", "keys", "said"),
    [
        (["seld", "--preset", "detector-mini"], "", "trains detector, not seld"),
        (["seld", "--preset", "sed"], "", "There is no preset 'sed'"),
        (["seld"], "stepps: 3", "unknown key 'stepps'; did you mean 'steps'?"),
        (["seld"], "task: {mirorr: none}", "mirorr"),
        (["seld"], "batch_size: 9\nmicro_batch: 4", "micro_batch 4 does not divide the 9"),
        (["seld", "--data", "{empty}"], "", "holds no mp4 files"),
        (["seld", "--start-from", "{empty}/no.pt"], "", "no.pt does not exist"),
    ],
)
def test_what_cannot_be_trained_is_said_in_a_sentence(savg, data, tmp_path, arguments, keys, said):
    (tmp_path / "empty").mkdir()
    (tmp_path / "mine.yaml").write_text(keys)
    arguments = [argument.format(empty=tmp_path / "empty") for argument in arguments]
    if "--data" not in arguments:
        arguments += ["--data", data]
    code, _, err = savg("train", *arguments, "--out", tmp_path / "out", "--config", tmp_path / "mine.yaml")
    assert code == 2 and said in " ".join(err.split()), err
    assert "Traceback" not in err


def test_a_terminated_run_says_what_stays_and_goes_on(savg, data, small, tmp_path):
    small.write_text(SMALL.replace("steps: 2", "steps: 100000", 1).replace("validate_every: 2", ""))
    out = tmp_path / "out"
    command = ("train", "seld", "--preset", "seld-mini", "--data", data, "--out", out, "--config", small)
    with subprocess.Popen(
        [sys.executable, "-m", "jobs.cli", *map(str, command)], stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 300
        while not checkpoint_steps(out) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        process.terminate()
        _, err = process.communicate()
    assert process.returncode == 143, err
    assert "interrupted; checkpoints stay, and the same command goes on from there\n" in err
    assert "Traceback" not in err
    last = checkpoint_steps(out)[-1]
    small.write_text(small.read_text().replace("steps: 100000", f"steps: {last + 1}"))
    code, _, err = savg(*command)
    assert code == 0, err
    assert checkpoint_steps(out)[-1] == last + 1


def test_two_runs_do_not_train_into_one_folder(savg, data, small, tmp_path):
    with FileLock(tmp_path / ".lock"):
        code, _, err = savg("train", "seld", "--preset", "seld-mini", "--data", data, "--out", tmp_path)
    assert code == 2 and f"Another run is filling {tmp_path}; wait for it" in " ".join(err.split())
    assert not checkpoint_steps(tmp_path)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_said(savg, data, tmp_path):
    code, _, err = savg("train", "seld", "--data", data, "--out", tmp_path / "out", "--device", "cuda")
    assert code == 2 and "there is no GPU here" in " ".join(err.split())


def test_a_validation_that_was_interrupted_is_made_up_for(savg, data, small, tmp_path, monkeypatch):
    from jobs import train as job

    def interrupted(*_):
        raise KeyboardInterrupt

    command = ("train", "seld", "--preset", "seld-mini", "--data", data, "--out", tmp_path / "out", "--config", small)
    with monkeypatch.context() as patch:
        patch.setattr(job, "validate_checkpoint", interrupted)
        assert savg(*command)[0] == 130
    assert noted_validations(tmp_path / "out") == {}
    assert savg(*command)[0] == 0
    assert set(noted_validations(tmp_path / "out")) == {2}
