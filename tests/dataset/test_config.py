import pytest

from savg_ray.dataset.config import PRESETS, load_dataset_config
from savg_ray.errors import UserError
from savg_ray.presets import preset_names


def test_the_presets_say_what_is_known_of_the_two_datasets():
    assert preset_names(PRESETS) == ["dcase2025", "laptop", "savgbench", "training"]
    ours, sibling = load_dataset_config("savgbench"), load_dataset_config("dcase2025")
    assert (ours.window_s, ours.windows.grid.step_frames, ours.windows.grid.yaw_step_deg) == (5.0, 5, 10)
    assert (ours.rules.classes, ours.rules.other_classes, ours.rules.min_active_frames) == ((0, 1, 9), "drop", 40)
    assert (ours.sound.rate_hz, ours.sound.gain_db, ours.pictures.fps, ours.pictures.pad_to_px) == (16000, 38, 4, 256)
    assert (sibling.windows.random.n_clips, sibling.windows.random.seed) == (30000, 20250305)
    assert (sibling.pictures.width_px, sibling.pictures.height_px, sibling.pictures.fps) == (640, 360, None)
    assert (sibling.sound.rate_hz, sibling.sound.gain_db, sibling.sound.high_pass_hz) == (24000, 0, None)


def test_how_the_work_is_spread_is_not_content():
    assert not {"workers", "recording_deadline_s", "preset"} & set(load_dataset_config("savgbench").content)


@pytest.mark.parametrize(
    ("yaml", "said"),
    [
        ("rules: {on_scren: true}", "rules.on_scren'; did you mean 'on_screen'"),
        ("rules: {other_classes: keep}", "rules.other_classes"),
        ("windows: {random: {n_clips: 3, seed: 1}}", "exactly one of grid and random"),
        ("windows: {grid: null}", "exactly one of grid and random"),
        ("rules: {min_active_frames: 51}", "no clip could obey"),
        ("sound: {high_pass_hz: 8000}", "below half"),
        ("pictures: {width_px: 320}", "pad_to_px"),
        ("pictures: {height_px: 143}", "pictures.height_px"),
        ("splits: {dev: [dev-train-sony], eval: [dev-train-sony]}", "dev-train-sony is named twice"),
    ],
)
def test_a_wrong_key_is_said_in_one_sentence(tmp_path, yaml, said):
    (tmp_path / "mine.yaml").write_text(yaml)
    with pytest.raises(UserError) as caught:
        load_dataset_config("savgbench", tmp_path / "mine.yaml")
    assert said in str(caught.value)
    assert "mine.yaml" in str(caught.value)
