"""The command that builds datasets, from end to end: with and without Ray, killed and resumed, on bad input."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import soundfile
from filelock import FileLock

import jobs.build_dataset
from jobs.build_dataset import build_dataset
from jobs.command import run_command
from savg_ray import files
from savg_ray.dataset.build import build_recording
from savg_ray.files import part_path
from tests.dataset.recordings import Scene, files_below, write_labels, write_recording, write_sound, write_video

TRAIN, TEST = "dev-train-sony", "dev-test-sony"
COARSE = "windows: {grid: {yaw_step_deg: 30}}\n"


@pytest.fixture
def build(monkeypatch, capfd):
    """Runs the command in this process; returns exit code, standard output and standard error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["build-dataset", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as caught:
            run_command(build_dataset)
        return (caught.value.code or 0, *capfd.readouterr())

    return run


@pytest.fixture(scope="module")
def starss(made_once):
    """Three good recordings, and one without video as in STARSS23."""
    return made_once("starss", make_starss)


def make_starss(root):
    write_recording(root, TRAIN, "fold3_room21_mix013", Scene(6.5, azimuth_deg=20, seed=1))
    write_recording(root, TRAIN, "fold3_room22_mix001", Scene(6, azimuth_deg=-100, label=9, seed=2))
    write_recording(root, TEST, "fold4_room23_mix001", Scene(6, azimuth_deg=175, elevation_deg=-8, seed=3))
    write_recording(root, TRAIN, "fold3_room21_mix001", Scene(5))
    (root / "video_dev" / TRAIN / "fold3_room21_mix001.mp4").unlink()
    (root / "coarse.yaml").write_text(COARSE)


@pytest.fixture(scope="module")
def unbroken(starss, made_once, tmp_path_factory):
    """What an undisturbed run without Ray leaves behind: the base that every other way of running must meet."""

    def make(out):
        command = [sys.executable, "-m", "jobs.build_dataset", starss, out, "--config", starss / "coarse.yaml"]
        done = subprocess.run([*command, "--runner", "sequential"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    # A copy, for a test runs into it once more.
    return shutil.copytree(made_once("unbroken", make), tmp_path_factory.mktemp("unbroken"), dirs_exist_ok=True)


def report_of(out):
    return json.loads((out / "report.json").read_text())


def test_what_a_run_leaves_behind(unbroken):
    report = report_of(unbroken)
    rows = pq.read_table(unbroken / "manifest.parquet").to_pylist()
    # Windows of 65, 60 and 60 label frames at every 5th, 12 yaws each.
    assert len(rows) == (4 + 3 + 3) * 12 == sum(report["candidates"].values())
    kept = {(row["split"], row["clip"]) for row in rows if row["fate"] == "kept"}
    assert report["n_clips"] == len(kept) == report["candidates"]["kept"] > 0
    for split in ("dev", "eval"):
        for kind, suffix in (("video", "mp4"), ("metadata", "csv")):
            names = {path.name for path in (unbroken / f"{kind}_{split}").iterdir()}
            assert names == {f"{clip}.{suffix}" for s, clip in kept if s == split}
    assert {row["split"] for row in rows if "room23" in row["recording"]} == {"eval"}
    assert [(p["recording"], p["reason"]) for p in report["skipped"]] == [("fold3_room21_mix001", "no_video")]
    assert report["failed"] == []
    assert report["hours"] == pytest.approx(len(kept) * 5 / 3600)
    speech, music = (
        sum(5 * ("room22" in clip) if label == 9 else 5 * ("room22" not in clip) for _, clip in kept)
        for label in (0, 9)
    )
    assert report["labelled_s"] == {"speech": speech, "instrument": music, "other": 0}
    assert report["speech_to_instrument"] == pytest.approx(speech / music)
    assert set(report["recordings"]) == {"fold3_room21_mix013", "fold3_room22_mix001", "fold4_room23_mix001"}


def test_a_second_run_does_nothing(build, starss, unbroken):
    before = {path: path.stat().st_mtime_ns for path in unbroken.glob("*_*/*")}
    written = files_below(unbroken)
    code, out, err = build(starss, unbroken, "--config", starss / "coarse.yaml", "--runner", "sequential")
    assert code == 0
    assert "4 recordings, 0 to build, 3 finished, 1 left out" in err
    assert "skipped: fold3_room21_mix001 is left out: it has no video" in out
    assert {path: path.stat().st_mtime_ns for path in unbroken.glob("*_*/*")} == before
    assert files_below(unbroken) == written


def test_ray_agrees_with_the_plain_loop_to_the_last_byte(ray_resources, build, starss, unbroken, tmp_path):
    code, _, err = build(starss, tmp_path, "--config", starss / "coarse.yaml")
    assert code == 0, err
    assert "3/3" in err
    assert files_below(tmp_path) == files_below(unbroken)


def test_a_killed_run_goes_on_to_the_same_bytes(build, starss, unbroken, tmp_path):
    arguments = [starss, tmp_path, "--config", starss / "coarse.yaml", "--runner", "sequential"]
    command = [sys.executable, "-m", "jobs.build_dataset", *map(str, arguments)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not list(tmp_path.glob("video_*/*.mp4")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    # By name: what was being written may still be on its way to its own.
    left = [path.name for path in tmp_path.rglob("*")]
    assert any(name.endswith(".mp4") for name in left)
    assert "report.json" not in left
    code, _, err = build(*arguments)
    assert code == 0, err
    assert files_below(tmp_path) == files_below(unbroken)


def test_another_configuration_is_refused(build, starss, unbroken):
    code, _, err = build(starss, unbroken, "--runner", "sequential")
    assert code == 2
    assert "windows.grid.yaw_step_deg is 30 there and 10 now" in err


BAD = {
    "fold3_room1_mix001": ("no_labels", "has no labels"),
    "fold3_room1_mix002": ("bad_sound", "2 channels, not the 4"),
    "fold3_room1_mix003": ("bad_sound", "48000 Hz, not 24000"),
    "fold3_room1_mix004": ("bad_rows", "line 3"),
    "fold3_room1_mix005": ("bad_rows", "azimuth is 270"),
    "fold3_room1_mix006": ("bad_video", "cannot be read as video"),
    "fold3_room1_mix007": ("bad_video", "damaged"),
}


@pytest.fixture(scope="module")
def awkward(tmp_path_factory):
    """Everything that can be wrong with a recording, beside a good one and one of the old format."""
    root = tmp_path_factory.mktemp("awkward")
    short = Scene(5, azimuth_deg=0)
    write_recording(root, TRAIN, "fold3_room1_mix000", short)
    for name in BAD:
        for folder, suffix in (("foa_dev", "wav"), ("video_dev", "mp4"), ("metadata_dev", "csv")):
            shutil.copy(
                root / folder / TRAIN / f"fold3_room1_mix000.{suffix}", root / folder / TRAIN / f"{name}.{suffix}"
            )
    sound, video, labels = (
        lambda n, d=d, s=s: root / d / TRAIN / f"fold3_room1_mix{n:03d}.{s}"
        for d, s in (("foa_dev", "wav"), ("video_dev", "mp4"), ("metadata_dev", "csv"))
    )
    labels(1).unlink()
    samples, _ = soundfile.read(sound(2))
    soundfile.write(sound(2), samples[:, :2], 24_000)
    soundfile.write(sound(3), samples, 48_000)
    labels(4).write_text("0,0,1,0,0,2\n1,0,1,0,0,2\n2,0,1,zero,0,2\n")
    labels(5).write_text("0,0,1,270,0,2\n")
    video(6).write_text("not a film")
    data = video(7).read_bytes()
    start = data.index(b"mdat") + 4
    third = int.from_bytes(data[start - 8 : start - 4], "big") // 3
    video(7).write_bytes(data[: start + third] + b"\xff" * third + data[start + 2 * third :])
    write_sound(sound(8), Scene(6, azimuth_deg=0))
    write_video(video(8), short)
    write_labels(labels(8), Scene(5, rows=[(f, 1, 0, 0, 0) for f in range(50)]))
    return root


def test_bad_recordings_fail_in_one_sentence_each_and_the_others_are_built(build, awkward, tmp_path):
    (tmp_path / "mine.yaml").write_text(COARSE)
    out = tmp_path / "out"
    code, printed, err = build(awkward, out, "--config", tmp_path / "mine.yaml", "--runner", "sequential")
    assert code == 3
    assert "Traceback" not in err
    report = report_of(out)
    told = {failure["recording"]: failure for failure in report["failed"]}
    assert {name: failure["reason"] for name, failure in told.items()} == {name: bad[0] for name, bad in BAD.items()}
    for name, (_, said) in BAD.items():
        message = told[name]["message"]
        assert said in message
        assert name in message
        assert message.endswith((".", "again"))
        assert message in printed
    assert {name: counts["kept"] for name, counts in report["recordings"].items()} == {
        "fold3_room1_mix000": 3,
        "fold3_room1_mix008": 3,
    }
    assert report["notes"] == [
        "fold3_room1_mix008: 6.0 s of sound and 5.0 s of video; the first 5.0 s that both have are used."
    ]
    assert {path.stem[:18] for path in out.glob("*_dev/*")} == {"fold3_room1_mix000", "fold3_room1_mix008"}


def test_no_clip_survives_and_the_report_says_which_rule_took_how_many(build, starss, tmp_path):
    (tmp_path / "mine.yaml").write_text(COARSE + "rules: {classes: [7]}\n")
    code, printed, _ = build(starss, tmp_path / "out", "--config", tmp_path / "mine.yaml", "--runner", "sequential")
    assert code == 0
    assert "no clip obeys all rules" in printed
    assert report_of(tmp_path / "out")["candidates"] == {
        "kept": 0, "other_class": 120, "off_screen": 0, "overlap": 0, "inactive": 0, "clipped": 0,
    }  # fmt: skip


def test_an_unusable_folder_ends_the_run(build, tmp_path):
    code, _, err = build(tmp_path, tmp_path / "out", "--runner", "sequential")
    assert code == 2
    assert err.count("\n") == 1
    assert "no folder foa_dev" in err
    code, _, err = build(tmp_path, tmp_path / "out", "--preset", "savgbensh")
    assert code == 2
    assert "the presets are dcase2025, laptop, savgbench" in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full on this system")
@pytest.mark.parametrize("full_for", ["mp4", "csv", "parquet"])
def test_a_full_disk_ends_the_run_and_the_next_one_goes_on(build, starss, unbroken, tmp_path, monkeypatch, full_for):
    arguments = [starss, tmp_path, "--config", starss / "coarse.yaml", "--runner", "sequential"]

    def part_on_a_full_disk(path):
        part = part_path(path)
        if path.suffix == f".{full_for}":
            part.symlink_to("/dev/full")
        return part

    with monkeypatch.context() as patch:
        patch.setattr(files, "part_path", part_on_a_full_disk)
        patch.setattr(jobs.build_dataset, "build_in_child", lambda reader, job: build_recording(job))
        code, _, err = build(*arguments)
    assert code == 2
    assert "cannot be written (No space left on device); free space" in " ".join(err.split())
    assert "Traceback" not in err
    assert not list(tmp_path.rglob("*.part"))
    if full_for == "csv":
        code, _, err = build(*arguments)
        assert code == 0, err
        assert files_below(tmp_path) == files_below(unbroken)


def test_two_runs_do_not_share_a_folder(build, starss, tmp_path):
    with FileLock(tmp_path / ".lock"):
        code, _, err = build(starss, tmp_path, "--runner", "sequential")
    assert code == 2
    assert "Another run is filling" in err


def test_the_sibling_preset(build, starss, tmp_path):
    small = {"windows": {"random": {"n_clips": 6}}, "pictures": {"width_px": 64, "height_px": 36}}
    (tmp_path / "small.yaml").write_text(json.dumps(small))
    out = tmp_path / "out"
    code, printed, err = build(
        starss, out, "--preset", "dcase2025", "--config", tmp_path / "small.yaml", "--runner", "sequential"
    )
    assert code == 0, err
    rows = pq.read_table(out / "manifest.parquet").to_pylist()
    assert len(rows) == 6
    assert {row["fate"] for row in rows} == {"kept"}
    for kind, suffix in (("stereo", "wav"), ("video", "mp4"), ("metadata", "csv")):
        written = {str(path.relative_to(out)) for path in out.glob(f"{kind}_dev/*/*")}
        assert written == {f"{kind}_dev/{row['part']}/{row['clip']}.{suffix}" for row in rows}
    assert "6 clips" in printed
