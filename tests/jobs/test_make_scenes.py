"""The command from end to end, with real pictures, small ones."""

import sys

import pytest

from actors import scene_maker
from jobs.command import run_command
from jobs.make_scenes import make_scenes
from savg_ray.dataset.recordings import find_recordings
from savg_ray.errors import ClipError
from savg_ray.scenes.recording import recording_files

SMALL = ("--recordings", "2", "--minutes", "0.04", "--seed", "3", "--size", "128")


@pytest.fixture
def run(monkeypatch, capfd):
    """Runs the command in this process; returns exit code and standard error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["make-scenes", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as caught:
            run_command(make_scenes)
        return caught.value.code or 0, capfd.readouterr().err

    return run


@pytest.fixture(scope="module")
def plain_loop(tmp_path_factory):
    """What the run without Ray makes."""
    out = tmp_path_factory.mktemp("plain_loop") / "scenes"
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as caught:
        patch.setattr(sys, "argv", ["make-scenes", str(out), *SMALL, "--runner", "sequential"])
        run_command(make_scenes)
    assert not caught.value.code
    return out


def contents(out):
    return {path.relative_to(out): path.read_bytes() for path in sorted(out.rglob("*.*")) if path.name != ".lock"}


def test_recordings_can_be_curated(plain_loop):
    splits = {"dev": ("dev-train-sony",), "eval": ("dev-test-sony",)}
    found, problems = find_recordings(plain_loop, splits)
    assert [recording.name for recording in found] == ["fold4_room23_mix001", "fold3_room21_mix001"]
    assert not problems


def test_ray_makes_the_same_bytes(ray_resources, plain_loop, run, tmp_path):
    code, err = run(tmp_path, *SMALL)
    assert code == 0, err
    assert "making: 2/2" in err
    assert contents(tmp_path) == contents(plain_loop)


def test_a_second_run_makes_what_is_missing(plain_loop, run):
    before = contents(plain_loop)
    files = recording_files(plain_loop, 1)
    files.video.unlink()
    kept = recording_files(plain_loop, 0).video.stat().st_mtime_ns
    code, err = run(plain_loop, *SMALL, "--runner", "sequential")
    assert code == 0, err
    assert "2 recordings, 1 to make" in err
    assert contents(plain_loop) == before
    assert recording_files(plain_loop, 0).video.stat().st_mtime_ns == kept
    assert "0 to make" in run(plain_loop, *SMALL)[1]


@pytest.mark.parametrize("change", [("--seed", "4"), ("--minutes", "0.05"), ("--size", "256"), ("--no-ambience",)])
def test_other_settings_for_the_same_folder_are_refused(plain_loop, run, change):
    code, err = run(plain_loop, *SMALL, *change, "--runner", "sequential")
    assert code == 2
    assert "name another folder" in err


@pytest.mark.parametrize(("arguments", "sentence"), [
    (("--size", "130"), "multiple of 4"),
    (("--recordings", "0"), "recordings"),
    (("--minutes", "0"), "minutes"),
])  # fmt: skip
def test_bad_options_are_named(run, tmp_path, arguments, sentence):
    code, err = run(tmp_path / "new", *arguments, "--runner", "sequential")
    assert code == 2
    assert sentence in err
    assert not (tmp_path / "new").exists()


def test_one_failure_costs_no_other_recording(run, tmp_path, monkeypatch):
    def fail_at_first(out, settings, recording):
        if recording == 0:
            raise ClipError("failed", "fold3_room21_mix001 cannot be made (it must not).")

    monkeypatch.setattr(scene_maker, "make_recording", fail_at_first)
    code, err = run(tmp_path, *SMALL, "--runner", "sequential")
    assert code == 3
    assert "fold3_room21_mix001 cannot be made" in err and "making: 2/2" in err
    assert "1 of 2 recordings" in err


def test_a_full_disk_ends_the_run(run, tmp_path, monkeypatch):
    def fill(out, settings, recording):
        raise ClipError("disk_full", f"The disk of {out} is full.")

    monkeypatch.setattr(scene_maker, "make_recording", fill)
    code, err = run(tmp_path, *SMALL, "--runner", "sequential")
    assert code == 2
    assert err.count("is full") == 1
