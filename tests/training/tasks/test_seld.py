import json
import math
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from savg_ray.errors import ClipError, UserError
from savg_ray.networks.seld import SeldConfig, SeldNet
from savg_ray.spatial.perspective import View
from savg_ray.spatial.screen import screen_position
from savg_ray.training.clip_dataset import is_mirrored
from savg_ray.training.config import load_training_config
from savg_ray.training.draws import Draw
from savg_ray.training.examples import LocalFeed, Share, StepPlan, stacked
from savg_ray.training.learner import Learner
from savg_ray.training.learning_rate import learning_rate
from savg_ray.training.tasks.seld import SeldSettings, make_task
from savg_ray.weights.load import load_strict
from tests.media.files import write_media
from tests.toys import check_manifest, golden_json
from tests.training.tasks.on_a_made_up_gpu import losses_on_a_made_up_gpu

RATE_HZ = 16000
VIEW = View(256, 144)
# One tone for each class, each in the middle of a bin.
TONES_HZ = {0: 500, 9: 3000}
BINS = (16, 96)
CLIPS = ((30, 0), (-30, 9), (12, 9), (-5, 0))
FIRST_FRAME, END_FRAME = 8, 33


def write_clip(root, split, name, azimuth_deg, label, n_samples=80000, width_px=256):
    """A tone from one direction, from 0.8 s to 3.3 s."""
    time_s = np.arange(n_samples) / RATE_HZ
    sounding = (time_s >= FIRST_FRAME / 10) & (time_s < END_FRAME / 10)
    tone = 0.2 * np.sin(2 * np.pi * TONES_HZ[label] * time_s) * sounding
    side = math.sin(math.radians(azimuth_deg))
    frames = np.zeros((2, 16, width_px, 3), np.uint8)
    video = root / f"video_{split}" / f"{name}.mp4"
    write_media(video, frames, np.stack([(1 + side) * tone, (1 - side) * tone]), rate_hz=RATE_HZ)
    _, x_px, y_px = screen_position(azimuth_deg, 0, VIEW)
    rows = "".join(f"{frame},{label},{x_px},{y_px}\n" for frame in range(FIRST_FRAME, END_FRAME))
    (root / f"metadata_{split}" / f"{name}.csv").write_text(rows)
    return video


def make_folders(root):
    for split in ("dev", "eval"):
        (root / f"video_{split}").mkdir()
        (root / f"metadata_{split}").mkdir()
    return root


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = make_folders(tmp_path_factory.mktemp("built"))
    for i, (azimuth_deg, label) in enumerate(CLIPS):
        write_clip(root, "dev", f"clip{i}", azimuth_deg, label)
        write_clip(root, "eval", f"held{i}", -azimuth_deg - 3, label)
    return root


@pytest.fixture
def bad(tmp_path):
    """A folder of one good clip, to be spoilt."""
    root = make_folders(tmp_path)
    write_clip(root, "dev", "clip", 10, 9)
    write_clip(root, "eval", "held", 10, 9)
    return root


class KnowsTones(nn.Module):
    """Hears the tones of the clips, and where they come from."""

    def __init__(self, turned=False):
        super().__init__()
        self.side = nn.Parameter(torch.tensor(-1.0 if turned else 1.0))

    def forward(self, features):
        left, right = features[:, 0, BINS], features[:, 1, BINS]
        level = left + right
        azimuth = torch.asin(self.side * (left - right) / level.clamp(min=1e-6))
        x_px = (VIEW.width_px - 1) / 2 * (1 - torch.tan(azimuth) / VIEW.right_edge)
        return 40 * (level / 12 - 1).clamp(-1, 1), x_px / 256


def test_examples_have_the_official_form(data):
    task = make_task({}, data)
    assert len(task) == len(CLIPS)
    assert task.item_name(1).endswith("clip1.mp4")
    for index in range(len(task)):
        example = task.example(index, Draw(0, index, 0))
        assert {name: (array.shape, array.dtype.name) for name, array in example.items()} == {
            "features": ((3, 257, 128), "float32"),
            "activity": ((2, 128), "float32"),
            "x_px": ((2, 128), "float32"),
        }


@pytest.mark.parametrize("mirror", ["none", "paired", "official"])
def test_labels_say_what_is_heard_when_and_where(data, mirror):
    task = make_task({"mirror": mirror}, data)
    draws = [Draw(0, position, position // len(task)) for position in range(24)]
    batch = stacked([task.example(position % len(task), draw) for position, draw in enumerate(draws)])
    logits, position = KnowsTones()(batch["features"])
    # At the edges of a sound the window of a frame, 32 ms, holds both sound and silence.
    assert ((logits > 0) == (batch["activity"] > 0)).float().mean() > 0.98
    error_px = ((position * 256 - batch["x_px"]).abs() * batch["activity"]).sum() / batch["activity"].sum()
    assert error_px < 3
    values = task.loss(KnowsTones(), batch)
    assert values["localisation_loss"] < 1e-3
    assert values["loss"].item() == pytest.approx(
        0.5 * values["detection_loss"].item() + 0.5 * values["localisation_loss"].item()
    )


def test_an_example_is_its_draw(data):
    settings = {"mirror": "paired", "gain_db": 6}
    task, keeps = make_task(settings, data), make_task({**settings, "keep_sound": True}, data)
    draw = Draw(3, 17, 4)
    expected = task.example(2, draw)
    for other in (task, keeps, keeps, pickle.loads(pickle.dumps(keeps))):
        found = other.example(2, draw)
        assert all(np.array_equal(found[name], expected[name]) for name in expected)
    assert not np.array_equal(task.example(2, Draw(3, 18, 4))["features"], expected["features"])
    assert len(pickle.dumps(keeps)) < 10_000


def test_windows_reach_both_ends_of_a_clip(data):
    task = make_task({"keep_sound": True}, data)
    before, after = 0, 0
    for position in range(60):
        active = task.example(0, Draw(0, position, 0))["activity"][0] > 0
        # The tone begins after 0.8 s, in windows that begin before; and ends 0.43 s before the last window begins.
        before += bool(active[-1] and not active[0])
        after += not active.any()
    assert before > 5
    assert 0 < after < 15


def test_paired_mirror_swaps_channels_and_positions(data):
    plain, paired = (make_task({"mirror": mirror}, data) for mirror in ("none", "paired"))
    draws = [Draw(0, epoch, epoch) for epoch in range(8)]
    mirrored = [is_mirrored("clip0", 0, draw.epoch) for draw in draws]
    assert len(set(mirrored)) == 2
    for draw, swapped in zip(draws, mirrored, strict=True):
        here, there = plain.example(0, draw), paired.example(0, draw)
        np.testing.assert_array_equal(here["activity"], there["activity"])
        x_px = (255 - here["x_px"]) * here["activity"] if swapped else here["x_px"]
        np.testing.assert_array_equal(there["x_px"], x_px)
        levels = here["features"][[1, 0]] if swapped else here["features"][:2]
        np.testing.assert_array_equal(there["features"][:2], levels)


def test_gain_changes_both_levels_alike(data):
    plain, louder = make_task({}, data), make_task({"gain_db": 6}, data)
    gains_db = []
    for position in range(20):
        here, there = (task.example(0, Draw(0, position, 0)) for task in (plain, louder))
        if here["activity"].any():
            ratio = there["features"][:2].sum(axis=(1, 2)) / here["features"][:2].sum(axis=(1, 2))
            assert ratio[0] == pytest.approx(ratio[1], rel=1e-4)
            gains_db.append(20 * math.log10(ratio[0]))
    assert max(np.abs(gains_db)) <= 6
    assert min(gains_db) < -2
    assert max(gains_db) > 2


def test_loss_is_the_golden_one(data):
    task = make_task({}, data)
    for case in golden_json("seld_loss.json"):
        rng = np.random.Generator(np.random.PCG64(case["seed"]))
        shape = (4, 1, 2, 128)
        logits, position = rng.standard_normal(shape), rng.standard_normal(shape).astype(np.float32) * 0.3 + 0.5
        active = rng.random(shape) < 0.3
        x_px = rng.integers(0, 256, shape) * active
        arrays = [torch.from_numpy(array[:, 0]).float() for array in (logits, position, active, x_px)]
        batch = {"features": torch.zeros(4, 3, 257, 128), "activity": arrays[2], "x_px": arrays[3]}
        values = task.loss(lambda _, said=arrays[:2]: said, batch)
        assert values["loss"].item() == pytest.approx(case["masked_mse|0to256_0to1"], rel=1e-5)


def test_some_steps_lower_the_loss(data):
    config = load_training_config("seld-mini").model_copy(update={"steps": 1000, "batch_size": 4})
    task = make_task({"network": "mini", "mirror": "paired", "keep_sound": True}, data)
    torch.manual_seed(0)
    plan = StepPlan.of(config, 1)
    learner = Learner(task, task.build(), config, Share(), plan.n_parts)
    parts = LocalFeed(task, plan, 0, Share())(1, 12)
    losses = [learner.take_step(parts)["loss"] for _ in range(12)]
    assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])


def test_validation_scores_whole_held_out_clips(data, tmp_path):
    task = make_task({}, data)
    values = task.validate(KnowsTones().eval(), tmp_path)
    assert values["f_score"] == 1.0
    assert values["localization_recall"] == 1.0
    assert values["error_rate"] == 0.0
    assert values["localization_error_px"] < 3
    kept = json.loads((tmp_path / "score.json").read_text())
    assert kept["n_clips"] == len(CLIPS)
    assert kept["by_class"]["speech"]["f_score"] == 1.0
    assert kept["score"] == values["seld_score"]

    turned = task.validate(KnowsTones(turned=True).eval(), tmp_path)
    assert turned["f_score"] < 0.7
    assert turned["localization_recall"] == 1.0
    assert turned[task.best[0]] > values[task.best[0]]


def test_validation_takes_clips_from_everywhere(data, tmp_path):
    task = make_task({"validation_clips": 2}, data)
    task.validate(KnowsTones().eval(), tmp_path)
    assert [video.stem for video, _ in task._held_out] == ["held0", "held2"]
    assert json.loads((tmp_path / "score.json").read_text())["n_clips"] == 2


def test_exports_are_what_the_networks_load(data, tmp_path):
    task = make_task({}, data)
    check_manifest(task.build(), golden_json("seld_manifest.json.gz"))
    assert task.export_name == "params_swa_20240912162834_0040000.pth"
    mini = make_task({"network": "mini"}, data)
    assert mini.export_name == "seld_mini.safetensors"
    load_strict(SeldNet(SeldConfig.mini()), mini.export(mini.build().state_dict()), tmp_path / mini.export_name)


def test_the_official_preset_is_the_official_recipe(data):
    config = load_training_config("seld")
    assert SeldSettings(**config.task) == SeldSettings()
    golden = golden_json("seld_lr.json")["lr_used_in_pseudo_epoch_1_to_40"]
    for place in (0, 999):
        rates = [
            learning_rate(1000 * epoch + place + 1, config.steps, config.optimiser, config.schedule)
            for epoch in range(40)
        ]
        assert rates == pytest.approx(golden, rel=1e-9)
    assert config.steps == 40000
    average = config.average
    assert (average.kind, average.first_step, average.every, average.bn_batches) == ("equal", 31000, 1000, 10)
    assert (config.batch_size, config.optimiser.kind, config.optimiser.weight_decay) == (8, "adam", 1e-6)
    assert make_task(config.task, data).build().config == SeldConfig()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"netwrok": "mini"}, r"unknown key 'netwrok'; did you mean 'network'"),
        ({"network": "tiny"}, r"task of the configuration: key 'network': .*'official' or 'mini'"),
        ({"mirror": "half"}, "'none', 'paired' or 'official'"),
        ({"validation_clips": 0}, "key 'validation_clips': .*greater than or equal to 1"),
        ({"gain_db": -1}, "key 'gain_db': "),
        ({"train_split": "train"}, r"video_train holds no mp4 files"),
    ],
)
def test_bad_settings(data, settings, message):
    with pytest.raises(UserError, match=message):
        make_task(settings, data)


def test_pictures_of_another_width_are_refused(bad):
    write_clip(bad, "dev", "clip", 10, 9, width_px=64)
    with pytest.raises(UserError, match=r"clip\.mp4 has pictures 64 pixels wide.*pictures\.width_px: 256"):
        make_task({}, bad)


@pytest.mark.parametrize(
    ("form", "reason", "message"),
    [
        ({"n_samples": 20320}, "too_short", r"clip\.mp4 has 1\.27 s of sound.*leave it out"),
        ({"layout": "mono"}, "not_stereo", r"clip\.mp4 has 1 channels of sound; two are needed"),
        ({"labels": "3,9,10,20\n4,9,256,20\n"}, "bad_rows", r"clip\.csv line 2 has x 256"),
        ({"labels": "3,8,10,20\n"}, "unknown_class", r"clip\.csv holds class id 8"),
    ],
)
def test_bad_clips(bad, form, reason, message):
    if "labels" in form:
        (bad / "metadata_dev" / "clip.csv").write_text(form["labels"])
    elif "layout" in form:
        frames = np.zeros((2, 16, 256, 3), np.uint8)
        write_media(bad / "video_dev" / "clip.mp4", frames, np.zeros((1, 80000)), layout="mono")
    else:
        write_clip(bad, "dev", "clip", 10, 9, **form)
    with pytest.raises(ClipError, match=message) as error:
        make_task({}, bad).example(0, Draw(0, 0, 0))
    assert error.value.reason == reason


def test_a_bad_held_out_clip_ends_validation_in_a_sentence(bad, tmp_path):
    (bad / "metadata_eval" / "held.csv").write_text("3,8,10,20\n")
    with pytest.raises(UserError, match="class id 8"):
        make_task({}, bad).validate(KnowsTones().eval(), tmp_path)


def test_losses_on_a_gpu_mix_no_devices(data):
    losses = losses_on_a_made_up_gpu(make_task({}, data))
    assert losses and {value.device.type for value in losses.values()} == {"cuda"}
