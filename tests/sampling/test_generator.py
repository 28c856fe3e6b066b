from pathlib import Path

import numpy as np
import pytest
import yaml

from savg_ray.errors import ClipError, UserError
from savg_ray.sampling.generator import check_output, construct

REFERENCE = "tests.sampling.colours:Colours"


def test_a_generator_is_found_and_constructed(tmp_path):
    generator = construct(REFERENCE, {"n_frames": 3}, tmp_path)
    generator.load("cpu")
    frames, waveforms = generator.sample(["a", "b"], [1, 2])
    check_output(frames, waveforms, 2, REFERENCE)
    assert frames.shape == (2, 3, 32, 32, 3)


def test_a_generator_may_lie_in_the_folder_of_the_run(tmp_path):
    (tmp_path / "my_generator_of_sounds.py").write_text(
        "class Mine:\n    fps = 4\n    rate_hz = 16000\n    def __init__(self, config): pass\n"
        "    def load(self, device): pass\n    def sample(self, clip_ids, seeds): pass\n"
    )
    assert construct("my_generator_of_sounds:Mine", {}, tmp_path).fps == 4


@pytest.mark.parametrize(
    ("reference", "config", "words"),
    [
        ("colours", {}, "must read package.module:Class"),
        ("no_such_package.x:Y", {}, "cannot be imported"),
        ("tests.sampling.colours:Nothing", {}, "has no Nothing"),
        (REFERENCE, {"frames": 3}, "refuses its configuration"),
        ("tests.sampling.colours:Empty", {}, "lacks fps, rate_hz, load, sample"),
    ],
)
def test_what_is_no_generator_is_refused_in_one_sentence(tmp_path, reference, config, words):
    with pytest.raises(UserError, match=words):
        construct(reference, config, tmp_path)


GOOD_FRAMES = np.zeros((2, 3, 8, 8, 3), np.uint8)
GOOD_SOUND = np.zeros((2, 2, 100), np.float32)


@pytest.mark.parametrize(
    ("frames", "sound", "words"),
    [
        (GOOD_FRAMES.astype(np.float32), GOOD_SOUND, "uint8"),
        (GOOD_FRAMES[0], GOOD_SOUND, "uint8"),
        (GOOD_FRAMES[:, :, :7], GOOD_SOUND, "even height and width, not 8x7"),
        (GOOD_FRAMES, GOOD_SOUND.astype(np.float64), "float32"),
        (GOOD_FRAMES, GOOD_SOUND[:, :1], "stereo"),
        (GOOD_FRAMES[:1], GOOD_SOUND, "2 clips were asked for, not 1 with 2 sounds"),
        (GOOD_FRAMES, GOOD_SOUND * np.nan, "NaN"),
        (None, GOOD_SOUND, "NoneType"),
    ],
)
def test_output_that_is_no_batch_of_clips_names_the_generator(frames, sound, words):
    with pytest.raises(ClipError, match=words) as error:
        check_output(frames, sound, 2, "mine:Mine")
    assert "mine:Mine" in str(error.value)


def test_the_example_of_the_documentation_is_a_generator(tmp_path):
    text = (Path(__file__).parents[2] / "docs" / "own_generator.md").read_text()
    code, settings = (text.split(f"```{kind}\n")[1].split("```")[0] for kind in ("python", "yaml"))
    (tmp_path / "noisy_colours.py").write_text(code)
    generator = construct("noisy_colours:NoisyColours", yaml.safe_load(settings), tmp_path)
    generator.load("cpu")
    frames, waveforms = generator.sample(["a", "b"], [1, 2])
    check_output(frames, waveforms, 2, "noisy_colours:NoisyColours")
    again, _ = generator.sample(["b"], [2])
    np.testing.assert_array_equal(again[0], frames[1])
