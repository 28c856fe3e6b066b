"""The two feature networks as tasks, on a few small clips of one walking person."""

import json
import pickle

import numpy as np
import pytest
import torch

from savg_ray.clips import Clip
from savg_ray.errors import ClipError, UserError
from savg_ray.media.writer import write_clip
from savg_ray.networks.audio_mini import AudioMini
from savg_ray.networks.video_mini import VideoMini
from savg_ray.presets import preset_names
from savg_ray.scenes.walker import walker_clip
from savg_ray.training.config import PRESETS, load_training_config
from savg_ray.training.draws import Draw
from savg_ray.training.examples import stacked
from savg_ray.training.tasks import audio_features, make_task, video_features
from savg_ray.weights.load import load_strict
from tests.training.tasks.on_a_made_up_gpu import losses_on_a_made_up_gpu

N_CLIPS = 4
SETTINGS = {"validation_clips": N_CLIPS}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    for split, first in (("dev", 0), ("eval", 50)):
        (root / f"video_{split}").mkdir()
        (root / f"metadata_{split}").mkdir()
        for i in range(N_CLIPS):
            clip = walker_clip(f"walker_{i}", first + i)
            small = Clip(clip.id, clip.frames[:4, ::4, ::4], clip.fps, clip.waveform[:, :24000], clip.rate_hz)
            write_clip(root / f"video_{split}" / f"{clip.id}.mp4", small)
            rows = "".join(f"{frame},{9 * (i % 2)},{20 + 8 * i},30\n" for frame in range(2, 15))
            (root / f"metadata_{split}" / f"{clip.id}.csv").write_text(rows)
    return root


MAKERS = pytest.mark.parametrize("make", [video_features.make_task, audio_features.make_task])


@MAKERS
def test_examples_are_their_draws_own(data, make):
    task = make(SETTINGS, data)
    assert len(task) == N_CLIPS
    assert task.item_name(2).endswith("walker_2.mp4")
    example = task.example(1, Draw(0, 7, 0))
    for name, column in task.example(1, Draw(0, 7, 0)).items():
        assert np.array_equal(column, example[name])
    others = [task.example(1, Draw(0, position, 0)) for position in range(8, 14)]
    assert any(not np.array_equal(other["media"][1], example["media"][1]) for other in others)
    assert stacked(others)["media"].shape[:2] == (6, 2)
    assert example["content"][0] == 1
    always = make({**SETTINGS, "distorted_share": 1.0}, data).example(1, Draw(0, 7, 0))
    assert np.all(always["strengths"][1] > 0) and not always["strengths"][0].any()


@MAKERS
def test_mirrored_clips_have_their_sound_on_the_other_side(data, make):
    task = make(SETTINGS, data)
    places = {float(task.example(0, Draw(0, 0, epoch))["content"][1].round(4)) for epoch in range(12)}
    place = 2 * 20 / 63 - 1
    assert sorted(places) == pytest.approx([-abs(place), abs(place)], abs=1e-4)


@MAKERS
def test_a_few_steps_learn_and_the_export_is_the_network(data, make):
    torch.manual_seed(0)
    task = make(SETTINGS, data)
    task = pickle.loads(pickle.dumps(task))
    network = task.build()
    optimiser = torch.optim.AdamW(network.parameters(), 2e-3)
    batch = stacked([task.example(i, Draw(0, i, 0)) for i in range(N_CLIPS)])
    losses = []
    for _ in range(6):
        values = task.loss(network, batch)
        optimiser.zero_grad()
        values["loss"].backward()
        optimiser.step()
        losses.append(float(values["loss"].detach()))
    assert min(losses) < 0.8 * losses[0]
    export = task.export(network.state_dict())
    plain = (VideoMini() if task.name == "video_features" else AudioMini()).eval()
    load_strict(plain, export, data)
    media = batch["media"][:, 0]
    network.eval()
    with torch.inference_mode():
        assert torch.equal(network.answers(plain(media)), network(media))


@MAKERS
def test_validation_gives_losses_and_distances(data, make, tmp_path):
    torch.manual_seed(0)
    task = make(SETTINGS, data)
    network = task.build().eval()
    values = task.validate(network, tmp_path)
    assert values["loss"] > 0
    assert set(values) == {"loss", "strength", "instrument", "place", "motion", "rising_share"}
    assert task.best[0] in values
    content = json.loads((tmp_path / "distances.json").read_text())
    assert content["n_clips"] == N_CLIPS
    assert content["strengths"] == [0, 0.125, 0.25, 0.5, 0.75, 1]
    assert {"shuffle", "noise"} <= set(content["distances"])
    assert all(len(distances) == 6 for distances in content["distances"].values())


def test_what_is_wrong_is_a_sentence(data, tmp_path):
    with pytest.raises(UserError, match=r"unknown key 'miror'; did you mean 'mirror'\?"):
        video_features.make_task({"miror": "none"}, data)
    with pytest.raises(UserError, match="key 'validation_clips'"):
        audio_features.make_task({"validation_clips": 1}, data)
    with pytest.raises(UserError, match="key 'distorted_share'"):
        video_features.make_task({"distorted_share": 0}, data)
    with pytest.raises(UserError, match="video_eval holds 4 clips, but validation_clips of the configuration is 5"):
        video_features.make_task({"validation_clips": 5}, data)
    with pytest.raises(UserError, match="video_dev holds no mp4 files"):
        video_features.make_task({}, tmp_path)
    for folder in ("video_dev", "metadata_dev"):
        (tmp_path / folder).mkdir()
    clip = walker_clip("fast", 1)
    write_clip(tmp_path / "video_dev" / "fast.mp4", Clip("fast", clip.frames, 4.0, clip.waveform, 32000))
    (tmp_path / "metadata_dev" / "fast.csv").write_text("")
    for kind in ("video", "metadata"):
        (tmp_path / f"{kind}_eval").symlink_to(data / f"{kind}_eval")
    with pytest.raises(ClipError, match="fast has sound at 32000 Hz"):
        audio_features.make_task(SETTINGS, tmp_path).example(0, Draw(0, 0, 0))


@pytest.mark.parametrize("name", ["video-features-mini", "audio-features-mini"])
def test_presets(data, name):
    assert name in preset_names(PRESETS)
    config = load_training_config(name)
    assert config.preset == name
    with pytest.raises(UserError, match="validation_clips"):
        make_task(config, data)


@MAKERS
def test_losses_on_a_gpu_mix_no_devices(data, make):
    losses = losses_on_a_made_up_gpu(make(SETTINGS, data))
    assert losses and {value.device.type for value in losses.values()} == {"cuda"}
