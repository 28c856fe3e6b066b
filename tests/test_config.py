import pytest

from savg_ray.config import PRESETS, load_config
from savg_ray.errors import UserError
from savg_ray.presets import preset_names
from savg_ray.sampling.config import load_sampling_config


def refusal(*args):
    with pytest.raises(UserError) as caught:
        load_config(*args)
    return str(caught.value)


def overriding(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["savg", "savgbench-official", "laptop"])
def test_presets(name):
    config = load_config(name)
    assert (config.networks, config.weights) == (
        ("mini", "bundled") if name == "laptop" else ("official", "official")
    )
    assert config.preset == name
    assert config.official == (name == "savgbench-official")
    assert config.n_windows == (96 if config.official else None)
    assert config.precision == "float32"


def test_every_preset_file_is_valid():
    assert set(preset_names(PRESETS)) >= {"savg", "savgbench-official"}
    for name in preset_names(PRESETS):
        assert load_config(name).preset == name


def test_a_file_is_laid_over_the_preset(tmp_path):
    path = overriding(tmp_path, "n_windows: 24\npools:\n  decode: {size: 2, num_cpus: 0.5}\n")
    config = load_config("savgbench-official", path)
    assert config.n_windows == 24
    assert config.pools["decode"].size == 2


def test_mistakes_are_one_sentence_that_names_the_key(tmp_path):
    assert "savg, savgbench-official" in refusal("savgbench")
    assert "unknown key 'precison'; did you mean 'precision'?" in refusal("savg", overriding(tmp_path, "precison: x"))
    pool = refusal("savg", overriding(tmp_path, "pools: {decode: {size: 1, precison: 0}}"))
    assert "unknown key 'pools.decode.precison'; the keys are size," in pool
    assert "'precision'" in refusal("savg", overriding(tmp_path, "precision: float16"))
    assert "'pools.decode.size'" in refusal("savg", overriding(tmp_path, "pools: {decode: {size: 0}}"))
    assert "'pools.dekode'" in refusal("savg", overriding(tmp_path, "pools: {dekode: {size: 1}}"))
    assert "official protocol" in refusal("savg", overriding(tmp_path, "n_windows: 24"))
    assert "'networks'" in refusal("savg", overriding(tmp_path, "networks: tiny"))
    assert "mini is for protocol: whole" in refusal("savgbench-official", overriding(tmp_path, "networks: mini"))
    assert "mini is for detector: native" in refusal("laptop", overriding(tmp_path, "detector: mmdet"))
    assert "not valid YAML" in refusal("savg", overriding(tmp_path, "a: [1"))
    assert "keys and values" in refusal("savg", overriding(tmp_path, "- a"))
    assert "cannot be read" in refusal("savg", tmp_path / "nothing.yaml")


@pytest.mark.parametrize(
    ("key", "value", "instead"),
    [("video_size", [20, 3, 48, 64], "n_frames, height_px and width_px"), ("audio_size", "[2, 40000]", "n_samples")],
)
def test_sizes_inside_a_sampling_network_are_refused(tmp_path, key, value, instead):
    path = overriding(tmp_path, f"base: {{network: {{{key}: {value}, num_channels: 64}}}}")
    said = f"key 'base': network.{key} says what {instead} beside network say; set those and leave network.{key} out"
    with pytest.raises(UserError, match=said):
        load_sampling_config("savg", path)
