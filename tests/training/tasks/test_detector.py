"""The detector as a task: examples, loss and validation on clips of bright people in dark rooms."""

import pickle

import numpy as np
import pytest
import torch

from savg_ray.clips import Clip
from savg_ray.errors import ClipError, UserError
from savg_ray.media.writer import write_clip
from savg_ray.networks.yolox import Detections, Yolox, YoloxConfig
from savg_ray.presets import read_yaml
from savg_ray.training.config import PRESETS, load_training_config
from savg_ray.training.draws import Draw
from savg_ray.training.examples import stacked
from savg_ray.training.tasks import detector
from savg_ray.training.tasks.detector import make_task
from savg_ray.weights.load import load_strict
from tests.training.test_person_pictures import bright_box

N_FRAMES, BARS_PX = 4, 56
SETTINGS = {"network": "nano", "mirror": True, "zoom": 1.2, "frames_kept": 2}


def write_people(root, split, name, boxes):
    """A clip of 256x256 with dark bars, in which somebody bright stands in a box a frame; rows of the csv."""
    frames = np.zeros((N_FRAMES, 256, 256, 3), np.uint8)
    frames[:, BARS_PX:-BARS_PX] = (60, 80, 60)
    rows = ""
    for frame, (x0, y0, x1, y1) in enumerate(boxes):
        frames[frame, y0:y1, x0:x1] = (230, 230, 40)
        rows += f"{frame},0,{x0},{y0},{x1},{y1}\n"
    for folder in ("video", "metadata", "boxes"):
        (root / f"{folder}_{split}").mkdir(exist_ok=True)
    write_clip(
        root / f"video_{split}" / f"{name}.mp4", Clip(name, frames, 4.0, np.zeros((2, 16000), np.float32), 16000)
    )
    (root / f"metadata_{split}" / f"{name}.csv").write_text("")
    (root / f"boxes_{split}" / f"{name}.csv").write_text(rows)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root, random = tmp_path_factory.mktemp("people"), np.random.default_rng(0)
    for split, n_clips in (("dev", 6), ("eval", 2)):
        for number in range(n_clips):
            corner = random.integers((10, 70), (150, 110), (N_FRAMES, 2))
            boxes = np.concatenate([corner, corner + random.integers((40, 60), (70, 80), (N_FRAMES, 2))], axis=1)
            write_people(root, split, f"clip{number}", boxes.tolist())
    # One more person, hardly seen, and a frame without anybody.
    path = root / "boxes_dev" / "clip0.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:3]) + "0,-1,0,60,6,120\n")
    return root


@pytest.fixture(scope="module")
def task(data):
    return make_task(SETTINGS, data)


def test_examples_show_people_in_their_boxes(task):
    for position in range(30):
        example = task.example(position % len(task), Draw(3, position, 0))
        assert example["picture"].shape == (3, 256, 256) and example["picture"].dtype == np.uint8
        assert example["boxes_px"].shape == (2, 4) and example["boxes_px"].dtype == np.float32
        assert example["labels"].shape == (2,) and example["labels"].dtype == np.int64
        # Blue is dark in these people, so the channels are in OpenCV's order.
        assert int(example["picture"][0].max()) < int(example["picture"][2].max()) - 50
        if example["labels"].tolist() == [0, -1]:
            found = bright_box(example["picture"].transpose(1, 2, 0))
            assert np.abs(example["boxes_px"][0] - found).max() < 4


def test_examples_depend_on_their_draw_alone(task, data):
    first = task.example(2, Draw(3, 8, 1))
    travelled = pickle.loads(pickle.dumps(task))
    assert not travelled._kept
    again = travelled.example(2, Draw(3, 8, 1))
    assert all((first[name] == again[name]).all() for name in first)
    others = [task.example(2, Draw(3, position, 1)) for position in range(8)]
    assert any((first["picture"] != other["picture"]).any() for other in others)


def test_frames_are_decoded_once_if_kept(data, monkeypatch):
    n_reads = []
    monkeypatch.setattr(
        "savg_ray.training.people_clips.read_clip",
        lambda path, read=detector.read_frames.__globals__["read_clip"]: n_reads.append(path) or read(path),
    )
    for kept, expected in ((2, 1), (None, 3)):
        task = make_task({**SETTINGS, "frames_kept": kept}, data)
        n_reads.clear()
        for position in range(3):
            task.example(1, Draw(0, position, 0))
        assert len(n_reads) == expected


def test_pictures_are_scaled_to_the_networks_side(data):
    task = make_task({"network": "tiny", "mirror": False}, data)
    example = task.example(1, Draw(0, 0, 0))
    assert example["picture"].shape == (3, 416, 416)
    found = bright_box(example["picture"].transpose(1, 2, 0))
    assert np.abs(example["boxes_px"][0] - found).max() < 4


def test_a_few_steps_lower_the_loss(task):
    torch.manual_seed(0)
    network = task.build()
    optimiser = torch.optim.AdamW(network.parameters(), 5e-3)
    batch = stacked([task.example(i % len(task), Draw(0, i, 0)) for i in range(4)])
    losses = []
    for _ in range(18):
        values = task.loss(network, batch)
        optimiser.zero_grad()
        values["loss"].backward()
        optimiser.step()
        losses.append(float(values["loss"].detach()))
    assert set(values) == {"loss", "box_loss", "objectness_loss", "class_loss"}
    assert np.mean(losses[-3:]) < 0.7 * losses[0]


class _Oracle(Yolox):
    """Finds the bright ones, and somebody above the bar."""

    def __init__(self):
        super().__init__(YoloxConfig.nano())

    def detect(self, frames):
        assert frames.shape[1:] == (256, 256, 3) and frames[:, 80, :, 0].max() < 130
        boxes = torch.tensor([[*bright_box(frame[..., ::-1])] for frame in frames], dtype=torch.float32)
        boxes = torch.stack([boxes, torch.tensor([0.0, 0, 20, 40]).expand_as(boxes)], dim=1)
        return [Detections(one, torch.tensor([0.9, 0.5]), torch.zeros(2)) for one in boxes]


def test_validation_counts_people(task, tmp_path):
    values = task.validate(_Oracle(), tmp_path)
    assert values["recall"] == 1 and values["precision"] == 0.5 and values["mean_iou"] > 0.9
    assert (tmp_path / "people.png").stat().st_size > 1000
    untrained = task.build().eval()
    assert task.validate(untrained, tmp_path)["f_score"] == 0


def test_exported_weights_fit_the_detector(task):
    network = task.build()
    state = task.export(network.state_dict())
    load_strict(Yolox(YoloxConfig.nano()), state, task.export_name)
    assert task.export_name == "yolox_nano.safetensors"


def test_bad_settings_and_data_are_named(data, tmp_path):
    with pytest.raises(UserError, match="frames_kep"):
        make_task({"frames_kep": 2}, data)
    with pytest.raises(UserError, match="zoom"):
        make_task({"zoom": 0.5}, data)
    with pytest.raises(UserError, match="video_dev holds no mp4"):
        make_task(SETTINGS, tmp_path)
    write_people(tmp_path, "dev", "clip", [(20, 70, 60, 150)] * N_FRAMES)
    write_people(tmp_path, "eval", "clip", [(20, 70, 60, 150)] * N_FRAMES)
    boxes = tmp_path / "boxes_dev" / "clip.csv"
    boxes.write_text("7,0,20,70,60,150\n")
    with pytest.raises(ClipError, match="names frame 7, but"):
        make_task(SETTINGS, tmp_path).example(0, Draw(0, 0, 0))
    boxes.write_text("0,-1,20,70,60,150\n")
    with pytest.raises(UserError, match="holds no box of a person"):
        make_task(SETTINGS, tmp_path)
    boxes.unlink()
    with pytest.raises(UserError, match=r"clip.csv cannot be read"):
        make_task(SETTINGS, tmp_path)
    boxes.parent.rmdir()
    with pytest.raises(UserError, match=r"boxes_dev is missing; set task.recordings"):
        make_task(SETTINGS, tmp_path)


@pytest.mark.parametrize("preset", ["detector", "detector-mini"])
def test_presets_can_be_made(preset, data):
    config = load_training_config(preset)
    assert config.trains == "detector" and config.preset == preset
    assert set(read_yaml(PRESETS / f"{preset}.yaml")["task"]) == set(detector.DetectorSettings.model_fields)
    assert len(make_task(config.task, data)) == 6
