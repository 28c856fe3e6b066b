import shutil

import pytest

from savg_ray.errors import UserError
from savg_ray.evaluation.clip_files import clip_id, list_clips
from savg_ray.evaluation.plan import plan_official, plan_whole
from savg_ray.media.writer import write_clip
from savg_ray.scenes.walker import walker_clip
from tests.samples import clip_folder
from tests.toys import golden_json


@pytest.fixture
def folders(tmp_path):
    for name, seeds in (("generated", (0, 1, 2)), ("reference", (10, 11))):
        (tmp_path / name).mkdir()
        for seed in seeds:
            write_clip(tmp_path / name / f"clip_{seed}.mp4", walker_clip(f"clip_{seed}", seed))
    return tmp_path / "generated", tmp_path / "reference"


def test_files_are_listed_in_the_official_order(tmp_path):
    for name in ("b.mp4", "a/z.MP4", "a/k/q.avi", "c.gif", "a/notes.txt", "a.mp4/inner.mp4", ".hidden.mp4"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    found = [path.relative_to(tmp_path).as_posix() for path in list_clips(tmp_path, "generated")]
    assert found == ["a/k/q.avi", "a/z.MP4", "a.mp4", "b.mp4", "c.gif"]
    assert clip_id(tmp_path / "a" / "z.MP4", tmp_path) == "a/z"


def test_unusable_folders(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    for name, words in (("nowhere", "does not exist"), ("file", "is not a folder"), ("empty", "holds no")):
        with pytest.raises(UserError, match=words) as caught:
            list_clips(tmp_path / name, "reference")
        assert str(tmp_path / name) in str(caught.value)


def test_two_clips_of_one_name_fail_and_the_others_stay(folders):
    generated, reference = folders
    (generated / "sub").mkdir()
    shutil.copy(generated / "clip_0.mp4", generated / "sub" / "clip_1.mp4")
    shutil.copy(reference / "clip_10.mp4", reference / "clip_10.avi")
    plan = plan_whole(generated, reference)
    assert [(clip.id, clip.reason) for clip in plan.clips if clip.role == "generated"] == [
        ("clip_0", ""),
        ("clip_1", "duplicate_name"),
        ("clip_2", ""),
        ("sub/clip_1", "duplicate_name"),
    ]
    assert [clip.id for clip in plan.usable("reference")] == ["clip_11"]


def test_official_windows_are_drawn_from_usable_clips_only(folders):
    generated, reference = folders
    (generated / "bad.mp4").write_text("not a film")
    clip = walker_clip("long", 3)
    short = type(clip)("short", clip.frames[:19], clip.fps, clip.waveform, clip.rate_hz)
    write_clip(generated / "short.mp4", short)
    plan = plan_official(generated, reference, n_windows=12, deadline_s=30.0)
    reasons = {clip.id: clip.reason for clip in plan.clips if clip.role == "generated"}
    assert reasons == {"bad": "not_media", "clip_0": "", "clip_1": "", "clip_2": "", "short": "wrong_form"}
    sizes = [(batch.role, len(batch.members)) for batch in plan.window_batches]
    assert sizes == [("generated", 8), ("generated", 8), ("reference", 8), ("reference", 8)]
    for batch in plan.window_batches:
        for clip, window in batch.members:
            assert clip.role == batch.role
            assert window in clip.windows
            assert clip.windows == sorted(set(clip.windows))


def test_the_official_draw_of_the_golden_run(tmp_path):
    samples = clip_folder("savgbench_joint_baseline")
    golden = golden_json("quality_end_to_end.json")
    for role, names in (("fake", golden["fake"]), ("ref", golden["ref"])):
        (tmp_path / role).mkdir()
        for name in names:
            shutil.copy(samples / name, tmp_path / role / name)
    plan = plan_official(tmp_path / "fake", tmp_path / "ref", golden["eval_num"], 30.0)
    for role, folder in (("generated", "fake"), ("reference", "ref")):
        clips = [clip.id for clip in plan.usable(role)]
        drawn = [
            clips.index(clip.id) * 31 + window
            for batch in plan.window_batches
            if batch.role == role
            for clip, window in batch.members
        ]
        assert drawn == golden[f"{folder}_order"]
