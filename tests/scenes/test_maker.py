import errno

import pytest

from savg_ray.errors import ClipError
from savg_ray.scenes import maker
from savg_ray.scenes.maker import make_recording
from savg_ray.scenes.recording import recording_files
from savg_ray.scenes.settings import SceneSettings
from tests.scenes.sounds.heard import GreyPainter

SETTINGS = SceneSettings(seed=3, minutes=0.03, width_px=128, reflections=False, ambience=True)


def test_a_recording_is_made_from_settings_and_number(tmp_path):
    make_recording(tmp_path, SETTINGS, 4, GreyPainter)
    assert recording_files(tmp_path, 4).complete


@pytest.mark.parametrize(("error", "reason", "sentence"), [
    (OSError(errno.ENOSPC, "no space"), "disk_full", "is full; free space"),
    (OSError(errno.EACCES, "not yours"), "failed", "fold3_room21_mix001 cannot be written"),
    (ValueError("odd"), "failed", r"fold3_room21_mix001 cannot be made \(ValueError: odd\)"),
])  # fmt: skip
def test_what_goes_wrong_is_told(tmp_path, monkeypatch, error, reason, sentence):
    def fail(*arguments):
        raise error

    monkeypatch.setattr(maker, "write_recording", fail)
    with pytest.raises(ClipError, match=sentence) as caught:
        make_recording(tmp_path, SETTINGS, 0, GreyPainter)
    assert caught.value.reason == reason
