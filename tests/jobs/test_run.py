"""Sampling and scoring in one stream: the same numbers as scoring the files afterwards."""

import json

import pytest
from filelock import FileLock

from savg_ray.media.writer import write_clip
from tests.jobs.test_evaluate import short_clip

GENERATOR = ("--generator", "tests.sampling.colours:Colours", "--weights", "filled")
# What a stream does is the same for small networks.
LAPTOP = ("--preset", "laptop", *GENERATOR)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    for seed in (10, 11):
        write_clip(folder / f"{seed}.mp4", short_clip(seed))
    return folder


def content_of(out):
    return json.loads((out / "metrics.json").read_text())


def test_one_stream_scores_what_the_files_hold(savg, reference, tmp_path):
    out = tmp_path / "run"
    arguments = ("--out", out, "--reference", reference, *LAPTOP, "--cache", tmp_path / "cache")
    code, printed, err = savg("run", "--n", 2, *arguments, "--runner", "sequential")
    assert code == 0, err
    assert "scoring the others: 2 clips" in err
    assert "fvd_mini" in printed
    assert len(list((out / "clips").glob("*.mp4"))) == 2
    assert (out / "manifest.parquet").exists()
    assert len(list((out / "seld").glob("*.csv"))) == 2
    code, _, _ = savg(
        "evaluate", out / "clips", reference, "--preset", "laptop", "--weights", "filled", "--runner", "sequential",
        "--out", tmp_path / "again", "--cache", tmp_path / "cache_2",
    )  # fmt: skip
    assert code == 0
    assert content_of(out)["metrics"] == content_of(tmp_path / "again")["metrics"]
    # One clip more: it alone is made and scored.
    code, _, err = savg("run", "--n", 3, *arguments, "--runner", "sequential")
    assert code == 0, err
    assert "3 clips, 1 to make, 2 there" in err
    assert "scoring the others" not in err
    assert content_of(out)["n_generated"] == 3


@pytest.mark.slow
def test_the_stream_on_ray_gives_the_same_numbers(savg, reference, tmp_path, ray_resources):
    for runner in ("ray", "sequential"):
        options = ("--out", tmp_path / runner, "--cache", tmp_path / f"{runner}_cache", "--runner", runner)
        code, _, err = savg("run", "--n", 3, "--reference", reference, *GENERATOR, *options)
        assert code == 0, err
    assert content_of(tmp_path / "ray") == content_of(tmp_path / "sequential")


def test_a_clip_that_cannot_be_made_is_left_out_and_listed(savg, reference, tmp_path):
    settings = tmp_path / "settings.yaml"
    settings.write_text("refused: seed0_000001\n")
    code, printed, _ = savg(
        "run", "--n", 2, "--out", tmp_path / "run", "--reference", reference, *LAPTOP, "--runner", "sequential",
        "--generator-config", settings, "--cache", tmp_path / "cache",
    )  # fmt: skip
    assert code == 3
    content = content_of(tmp_path / "run")
    assert (content["n_generated"], content["n_failed"]) == (1, 1)
    assert "no colour for this one" in printed


def test_two_runs_do_not_share_a_folder(savg, reference, tmp_path):
    with FileLock(tmp_path / ".lock"):
        code, _, err = savg(
            "run", "--n", 1, "--out", tmp_path, "--reference", reference, *GENERATOR, "--runner", "sequential"
        )
    assert code == 2 and "Another run is filling" in err
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_reference_that_is_not_there_is_one_sentence(savg, tmp_path):
    code, _, err = savg(
        "run", "--n", 1, "--out", tmp_path / "run", "--reference", tmp_path / "nowhere", *GENERATOR,
        "--runner", "sequential", "--cache", tmp_path / "cache",
    )  # fmt: skip
    assert code == 2
    assert "nowhere does not exist" in " ".join(err.split())
