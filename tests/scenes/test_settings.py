import pytest
from pydantic import ValidationError

from savg_ray.errors import UserError
from savg_ray.scenes.settings import SceneSettings, keep_settings

SETTINGS = SceneSettings(seed=3, minutes=0.5, width_px=640, reflections=True, ambience=True)


def changed(**values):
    return SceneSettings(**{**SETTINGS.model_dump(), **values})


def test_the_same_settings_are_taken_again(tmp_path):
    keep_settings(tmp_path, SETTINGS)
    noted = (tmp_path / "scenes.json").read_bytes()
    keep_settings(tmp_path, SETTINGS)
    assert (tmp_path / "scenes.json").read_bytes() == noted


@pytest.mark.parametrize(("values", "sentence"), [
    ({"seed": 4}, r"made with --seed 3, not 4; use --seed 3, or name another folder"),
    ({"minutes": 1.0}, r"made with --minutes 0\.5, not 1\.0"),
    ({"width_px": 1920}, r"made with --size 640, not 1920"),
    ({"reflections": False}, r"made with --reflections; give it again"),
    ({"ambience": False}, r"made with --ambience; give it again"),
    ({"version": 0}, r"another version"),
])  # fmt: skip
def test_other_settings_are_refused(tmp_path, values, sentence):
    keep_settings(tmp_path, SETTINGS)
    with pytest.raises(UserError, match=sentence):
        keep_settings(tmp_path, changed(**values))


def test_somebody_elses_recordings_are_left_alone(tmp_path):
    (tmp_path / "foa_dev").mkdir()
    with pytest.raises(UserError, match="not of make-scenes' making"):
        keep_settings(tmp_path, SETTINGS)
    assert not (tmp_path / "scenes.json").exists()


def test_damaged_settings_are_named(tmp_path):
    (tmp_path / "scenes.json").write_text("{")
    with pytest.raises(UserError, match=r"scenes\.json cannot be read"):
        keep_settings(tmp_path, SETTINGS)


@pytest.mark.parametrize("values", [{"seed": -1}, {"minutes": 0}, {"width_px": 642}, {"width_px": 124}])
def test_settings_out_of_range(values):
    with pytest.raises(ValidationError):
        changed(**values)


def test_recordings_are_whole_label_frames_long():
    assert changed(minutes=0.0333).duration_s == 2.0
