"""The sampling command through real Ray and without it, on tiny networks with filled weights."""

import json
import os
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from filelock import FileLock

from actors.base_sampler import BaseSampler
from jobs import cli, pools, ray_stream
from savg_ray.media.reader import read_clip
from savg_ray.networks.mm_unet import MMUNet
from savg_ray.networks.sr_unet import SRUNet
from savg_ray.sampling.config import load_sampling_config
from savg_ray.stages.write_clip import WriteClipStage
from savg_ray.weights.fill import fill_deterministic
from tests.sampling.tiny import ADAPTIVE, write_tiny


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("config"), **ADAPTIVE, height_px=8, width_px=8, n_samples=400)


def options(out, n, config, runner="sequential"):
    return ["sample", "--n", n, "--out", out, "--weights", "filled", "--config", config, "--runner", runner]


@pytest.fixture
def sample(savg, tiny):
    def run(out, n, *more, runner="sequential", config=tiny):
        return savg(*options(out, n, config, runner), *more)

    return run


def contents(out):
    return {path.name: path.read_bytes() for path in sorted((out / "clips").glob("*.mp4"))}


@pytest.fixture(scope="module")
def plain_loop(tiny, tmp_path_factory):
    """What the run without Ray writes: the base that every other way of running must meet."""
    out = tmp_path_factory.mktemp("plain_loop")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as caught:
        patch.setattr(sys, "argv", ["savg", *map(str, options(out, 4, tiny))])
        cli.main()
    assert not caught.value.code
    return contents(out)


class KilledOnce(BaseSampler):
    """A sampler whose process dies at its second batch, the first time that happens anywhere."""

    def __call__(self, batch):
        marker = Path(str(batch["path"][0])).parents[1] / "killed"
        if batch["index"][0] >= 2 and not marker.exists():
            marker.touch()
            os._exit(9)
        return super().__call__(batch)


def test_two_samplers_one_of_which_is_killed_make_the_clips_of_one_alone(
    sample, plain_loop, tmp_path, tiny, ray_resources, monkeypatch
):
    assert len(set(plain_loop.values())) == 4
    two = tmp_path / "two.yaml"
    two.write_text(
        tiny.read_text()
        + "clips_per_batch: 2\n"
        + "pools:\n  base: {size: 2, num_cpus: 0.4}\n  super_resolution: {size: 1, num_cpus: 0.4}\n"
        + "  write: {size: 1, num_cpus: 0.1}\n"
    )
    monkeypatch.setitem(ray_stream.ACTORS, "base", KilledOnce)
    code, out, _ = sample(tmp_path / "two", 4, runner="ray", config=two)
    assert (code, (tmp_path / "two" / "killed").exists()) == (0, True)
    assert contents(tmp_path / "two") == plain_loop
    assert "4 clips in" in out


@pytest.mark.slow
def test_one_sampler_on_ray_makes_them_too(sample, plain_loop, tmp_path, ray_resources):
    assert sample(tmp_path, 2, runner="ray")[0] == 0
    assert len(contents(tmp_path)) == 2
    assert contents(tmp_path).items() < plain_loop.items()


def test_a_run_that_was_interrupted_goes_on_and_a_larger_n_adds(sample, plain_loop, tmp_path, monkeypatch):
    honest, calls = WriteClipStage._write, []

    def interrupted(stage, row):
        calls.append(row["id"])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return honest(stage, row)

    monkeypatch.setattr(WriteClipStage, "_write", interrupted)
    code, _, err = sample(tmp_path / "run", 2)
    assert code == 130
    assert "finished clips stay" in err
    monkeypatch.setattr(WriteClipStage, "_write", honest)
    code, _, err = sample(tmp_path / "run", 3)
    assert code == 0
    assert "3 clips, 2 to make, 1 there" in err
    assert sample(tmp_path / "run", 4)[0] == 0
    assert contents(tmp_path / "run") == plain_loop
    rows = pq.read_table(tmp_path / "run" / "manifest.parquet").to_pylist()
    assert [row["index"] for row in rows] == [0, 1, 2, 3]
    assert all(row["ok"] and row["nfe"] > 4 and len(row["sha256"]) == 64 for row in rows)
    origin = json.loads((tmp_path / "run" / "sampling.json").read_text())
    assert origin["weights"]["joint"]["source"].startswith("filled")
    code, _, err = sample(tmp_path / "run", 4)
    assert "4 clips, 0 to make, 4 there" in err


def test_another_seed_gives_other_clips(sample, plain_loop, tmp_path):
    sample(tmp_path / "other", 1, "--seed", 1)
    (data,) = contents(tmp_path / "other").values()
    assert data not in plain_loop.values()


def test_a_dry_run_makes_nothing(sample, tmp_path):
    code, _, err = sample(tmp_path / "dry", 3, "--dry-run")
    assert code == 0
    assert "3 to make" in err
    assert not contents(tmp_path / "dry")


GENERATOR = ("--generator", "tests.sampling.colours:Colours")


def test_somebody_elses_generator_survives_a_killed_worker_and_a_clip_that_fails(savg, tmp_path, ray_resources):
    settings = tmp_path / "colours.yaml"
    settings.write_text(f"fatal: seed0_000001\nmarker: {tmp_path / 'marker'}\nrefused: seed0_000002\n")
    code, out, err = savg(
        "sample", "--n", 4, "--out", tmp_path / "out", *GENERATOR, "--generator-config", settings
    )  # fmt: skip
    assert code == 3
    assert (tmp_path / "marker").exists()
    assert "seed0_000002.mp4: generate failed (RuntimeError: no colour for this one)" in out
    assert sorted(contents(tmp_path / "out")) == [f"seed0_00000{i}.mp4" for i in (0, 1, 3)]
    assert read_clip(tmp_path / "out" / "clips" / "seed0_000000.mp4").frames.shape == (9, 32, 32, 3)
    assert "weights" not in err


def test_two_runs_do_not_share_a_folder(savg, tmp_path):
    arguments = ("sample", "--n", 1, "--out", tmp_path, *GENERATOR, "--runner", "sequential")
    with FileLock(tmp_path / ".lock"):
        code, _, err = savg(*arguments)
        assert code == 2 and "Another run is filling" in err
        # To look does no harm.
        assert savg(*arguments, "--dry-run")[0] == 0
    assert not contents(tmp_path) and not (tmp_path / "sampling.json").exists()


def test_unusable_input_is_one_sentence_and_exit_code_2(savg, sample, tmp_path):
    (tmp_path / "bad.yaml").write_text("base: {solvr: adaptive}\n")
    (tmp_path / "odd.yaml").write_text("base: {height_px: 60}\n")
    (tmp_path / "steps.yaml").write_text("base: {steps: 20}\n")
    (tmp_path / "file").write_text("x")
    filled = ("--weights", "filled", "--runner", "sequential", "--out", tmp_path / "out")
    cases = {
        "There is no preset 'best'": ("--preset", "best", *filled),
        "unknown key 'base.solvr'; did you mean 'solver'?": ("--config", tmp_path / "bad.yaml", *filled),
        "multiples of 8": ("--config", tmp_path / "odd.yaml", *filled),
        "steps is for every solver but adaptive": ("--config", tmp_path / "steps.yaml", *filled),
        "model330011.pt": ("--weights-dir", tmp_path, "--runner", "sequential", "--out", tmp_path / "out"),
        "name another with --out": (*filled[:-1], tmp_path / "file" / "out"),
        "cannot be imported": ("--generator", "nowhere:Model", *filled),
        "--generator-config is for --generator": ("--generator-config", tmp_path / "bad.yaml", *filled),
    }
    for words, arguments in cases.items():
        code, _, err = savg("sample", "--n", 1, *arguments)
        assert code == 2, words
        assert words in " ".join(err.split())
        assert "Traceback" not in err
        assert err.count("error:") == 1


def test_pools_of_the_configuration_are_checked(sample, tmp_path, tiny, ray_resources):
    greedy = tmp_path / "greedy.yaml"
    greedy.write_text(tiny.read_text() + "pools: {base: {size: 500, num_cpus: 1}}\n")
    code, _, err = sample(tmp_path / "out", 1, runner="ray", config=greedy)
    assert code == 2
    assert "lower size or num_cpus in pools" in " ".join(err.split())
    assert "base" in pools.ACTORS


def test_weights_are_loaded_strictly_and_are_part_of_what_a_clip_is(savg, tiny, tmp_path):
    config = load_sampling_config("savg", tiny)
    networks = {
        "model330011.pt": MMUNet(config.base.shape),
        "model_SR_mmdiff_120000.pt": SRUNet(config.super_resolution.shape),
    }
    for salt, (name, network) in enumerate(networks.items()):
        torch.save(fill_deterministic(network, salt).state_dict(), tmp_path / name)
    arguments = ("sample", "--n", 1, "--config", tiny, "--runner", "sequential", "--weights-dir", tmp_path)
    code, _, err = savg(*arguments, "--out", tmp_path / "out")
    assert code == 0, err
    assert "official (model330011.pt)" in err
    code, _, err = savg(*arguments, "--out", tmp_path / "out", "--weights", "filled")
    assert code == 2
    assert "was made from another configuration or other weights" in " ".join(err.split())
    partial = networks["model330011.pt"].state_dict()
    partial.pop("time_embed.0.weight")
    (tmp_path / "other").mkdir()
    torch.save(partial, tmp_path / "other" / "model330011.pt")
    (tmp_path / "model_SR_mmdiff_120000.pt").rename(tmp_path / "other" / "model_SR_mmdiff_120000.pt")
    code, _, err = savg(*arguments[:-1], tmp_path / "other", "--out", tmp_path / "out_2")
    assert code == 2
    assert "model330011.pt lacks time_embed.0.weight" in " ".join(err.split())
