import numpy as np
import pytest
import torch

from savg_ray.errors import ClipError
from savg_ray.metrics.detection_rows import read_rows, rows_of_boxes
from savg_ray.networks import yolox
from savg_ray.weights.fill import fill_deterministic
from tests.samples import joint_sample
from tests.toys import GOLDEN_METRICS, check_manifest, golden_json, golden_npz, sha16, toy_video

SAMPLES = ("sample_1", "sample_2", "sample_3")
TOYS = ("toy_256", "toy_144x256", "toy_300x200")
GOLDEN = golden_npz("yolox.npz")


@pytest.fixture(scope="module")
def net():
    net = yolox.YoloxTiny().eval()
    return fill_deterministic(net, yolox.FILL_SALT, yolox.FILL_GAIN, yolox.fill_exceptions(net))


def bgr(rgb: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(rgb[..., ::-1])


def toy_frames(name: str) -> np.ndarray:
    seed, height, width = GOLDEN[f"{name}_seed_hw"].tolist()
    return bgr(toy_video(seed, 1, height, width))


def sample_frames(name: str) -> np.ndarray:
    import av

    with av.open(str(joint_sample(f"{name}.mp4"))) as container:
        return np.stack([frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)])


def assert_same_boxes(found: np.ndarray, expected: np.ndarray):
    """The same set within 0.01 px: each box of either side has a partner on the other."""
    assert found.shape == expected.shape
    if len(found):
        gap = np.abs(found[:, None].astype(float) - expected[None]).max(axis=2)
        assert gap.min(axis=0).max() < 0.01 and gap.min(axis=1).max() < 0.01


def assert_detections(detections: yolox.Detections, name: str):
    boxes, scores, labels = (part.numpy() for part in detections)
    assert boxes.dtype == scores.dtype == np.float32
    assert len(boxes) == GOLDEN[f"{name}_n_after_nms"]
    assert (np.diff(scores) <= 0).all() and scores[-1] >= yolox.SCORE_FLOOR
    np.testing.assert_allclose(scores[:60], GOLDEN[f"{name}_top60_scores"], atol=1e-4)
    # Labels are part of the match: moved far apart, boxes of different classes cannot be partners.
    apart = boxes + 1e4 * labels[:, None]
    expected = GOLDEN[f"{name}_top60_boxes"] + 1e4 * GOLDEN[f"{name}_top60_labels"][:, None]
    gap = np.abs(apart[:, None] - expected[None]).max(axis=2)
    assert gap.min(axis=0).max() < 0.01
    assert_same_boxes(yolox.person_boxes(detections).numpy(), GOLDEN[f"{name}_final_boxes"])


def test_state_dict_is_the_official_one(net):
    check_manifest(net, golden_json("yolox_manifest.json.gz"))


def test_fill_constants_are_the_golden_ones():
    assert GOLDEN["salt"].item() == yolox.FILL_SALT
    assert GOLDEN["gain"].item() == pytest.approx(yolox.FILL_GAIN)
    assert GOLDEN["cls0_bias"].item() == yolox.FILL_CLS0_BIAS
    assert GOLDEN["obj_bias"].tolist() == list(yolox.FILL_OBJ_BIAS)
    assert GOLDEN["reg_wh_bias"].tolist() == list(yolox.FILL_REG_BIAS[2:])


@pytest.mark.parametrize("name", TOYS)
def test_golden_toy_pictures(net, name):
    frames = toy_frames(name)
    x, scale_wh = yolox.preprocess(frames)
    assert x.shape[2:] == tuple(GOLDEN[f"{name}_img_shape"])
    assert scale_wh == pytest.approx(GOLDEN[f"{name}_scale_factor"].tolist(), rel=1e-9)
    (detections,) = net(torch.from_numpy(frames))
    assert_detections(detections, name)


@pytest.mark.parametrize("name", SAMPLES)
def test_golden_clips(net, name):
    frames = sample_frames(name)
    x, scale_wh = yolox.preprocess(frames)
    with torch.inference_mode():
        outputs = net.head_outputs(x.float())
        detections = yolox.decode(outputs, scale_wh)
    for i in (0, 13):
        key = f"{name}_f{i}"
        assert sha16(x[i].permute(1, 2, 0).numpy()) == GOLDEN[f"{key}_resized_sha16"]
        for level, (cls, reg, obj) in enumerate(outputs):
            np.testing.assert_allclose(cls[i, ::8, ::4, ::4], GOLDEN[f"{key}_cls{level}"], atol=1e-3)
            np.testing.assert_allclose(reg[i, :, ::4, ::4], GOLDEN[f"{key}_reg{level}"], atol=1e-3)
            np.testing.assert_allclose(obj[i, :, ::4, ::4], GOLDEN[f"{key}_obj{level}"], atol=1e-3)
        assert_detections(detections[i], key)
        persons = detections[i].scores[(detections[i].labels == 0) & (detections[i].scores > 0.3)]
        np.testing.assert_allclose(persons, GOLDEN[f"{key}_final_scores"], atol=1e-4)
        assert detections[i].scores.double().sum().item() == pytest.approx(GOLDEN[f"{key}_sum_scores"], abs=1e-2)
    rows = rows_of_boxes([yolox.person_boxes(one) for one in detections])
    golden = read_rows(GOLDEN_METRICS / "yolox_csv" / f"{name}.csv")
    assert rows.shape == golden.shape
    for frame in range(20):
        assert_same_boxes(rows[rows[:, 0] == frame, 1:], golden[golden[:, 0] == frame, 1:])


def test_no_frames(net):
    assert net(np.empty((0, 256, 256, 3), np.uint8)) == []


def level(scores: torch.Tensor, sizes: torch.Tensor) -> yolox.LevelOutputs:
    n, h, w = scores.shape
    cls = torch.full((n, yolox.N_CLASSES, h, w), -20.0)
    cls[:, 7] = torch.logit(scores)
    reg = torch.cat([torch.zeros(n, 2, h, w), sizes.log().expand(n, 2, h, w)], dim=1)
    return yolox.LevelOutputs(cls, reg, torch.full((n, 1, h, w), 20.0))


def test_decode_places_boxes_by_cell_and_stride():
    """One cell per level speaks; a corner is cell * stride -+ half of exp(0) * stride, divided by the scale."""
    scores = [torch.full((2, side, side), 1e-4) for side in (4, 2, 1)]
    scores[0][0, 3, 1], scores[1][0, 0, 1], scores[2][1, 0, 0] = 0.5, 0.9, 0.7
    outputs = [level(s, torch.tensor(1.0)) for s in scores]
    first, second = yolox.decode(outputs, (2.0, 4.0))
    torch.testing.assert_close(first.scores, torch.tensor([0.9, 0.5]))
    expected = torch.tensor([[4.0, -2, 12, 2], [2.0, 5, 6, 7]])
    torch.testing.assert_close(first.boxes_px, expected)
    assert first.labels.tolist() == [7, 7]
    torch.testing.assert_close(second.boxes_px, torch.tensor([[-8.0, -4, 8, 4]]))


def test_suppression_is_per_class_and_silent_pictures_are_empty():
    scores = torch.full((2, 2, 2), 1e-4)
    scores[0, 0, :] = torch.tensor([0.8, 0.6])
    outputs = [level(scores, torch.tensor(50.0)), *(level(torch.full((2, 1, 1), 1e-4), torch.tensor(1.0)),) * 2]
    loud, silent = yolox.decode(outputs, (1.0, 1.0))
    torch.testing.assert_close(loud.scores, torch.tensor([0.8]))
    assert silent.boxes_px.shape == (0, 4) and silent.labels.shape == (0,)
    outputs[0].cls[0, 9, 0, 1] = 15.0
    loud, _ = yolox.decode(outputs, (1.0, 1.0))
    assert loud.labels.tolist() == [9, 7]


def test_person_boxes_keep_class_0_above_0_3():
    boxes = torch.arange(16.0).reshape(4, 4)
    detections = yolox.Detections(boxes, torch.tensor([0.9, 0.8, 0.31, 0.3]), torch.tensor([1, 0, 0, 0]))
    assert yolox.person_boxes(detections).tolist() == boxes[1:3].tolist()


def test_bfloat16_heads_decode_in_float32(net):
    frames = toy_frames("toy_256")
    exact = net(frames)[0]
    with torch.autocast("cpu", torch.bfloat16):
        rough = net(frames)[0]
    assert rough.boxes_px.dtype == rough.scores.dtype == torch.float32
    assert abs(len(rough.scores) - len(exact.scores)) < 0.05 * len(exact.scores)
    assert (rough.scores[:20] - exact.scores[:20]).abs().max() < 0.05


@pytest.mark.parametrize("frames", [np.zeros((1, 8, 8, 3), np.float32), np.zeros((8, 8, 3), np.uint8)])
def test_other_frames_are_refused(net, frames):
    with pytest.raises(ClipError) as error:
        net(frames)
    assert error.value.reason == "bad_frames"


@pytest.mark.gpu
def test_gpu_agrees_with_cpu(net):
    frames = toy_frames("toy_256")
    on_gpu = yolox.YoloxTiny().eval().cuda()
    on_gpu.load_state_dict(net.state_dict())
    found, expected = on_gpu(frames)[0], net(frames)[0]
    assert found.boxes_px.is_cuda
    torch.testing.assert_close(found.scores[:60].cpu(), expected.scores[:60], atol=1e-2, rtol=0)


def test_nano_takes_pictures_of_256_as_they_are():
    frames = toy_frames("toy_256")
    x, scale_wh = yolox.preprocess(frames, 256)
    assert scale_wh == (1, 1) and (x.permute(0, 2, 3, 1).numpy() == frames).all()
    nano = yolox.Yolox(yolox.YoloxConfig.nano()).eval()
    outputs = nano.head_outputs(x.float())
    assert [tuple(level.cls.shape[1:]) for level in outputs] == [(1, 32, 32), (1, 16, 16), (1, 8, 8)]
    assert sum(parameter.numel() for parameter in nano.parameters()) < 600_000


def test_boxes_of_a_smaller_net_are_in_pixels_of_the_picture():
    """A wide picture is halved to fit, and boxes come back at its own size."""
    net = yolox.Yolox(yolox.YoloxConfig(width=0.125, n_classes=1, side_px=64)).eval()
    outputs = [level(torch.full((1, side, side), 1e-4), torch.tensor(2.0)) for side in (8, 4, 2)]
    outputs[0].cls[0, 7, 2, 3] = 15.0
    net.head_outputs = lambda x: outputs
    (found,) = net(np.zeros((1, 32, 128, 3), np.uint8))
    torch.testing.assert_close(found.boxes_px, torch.tensor([[32.0, 16, 64, 48]]))


def test_an_untrained_net_sees_nothing():
    nano = yolox.Yolox(yolox.YoloxConfig.nano()).eval()
    (found,) = nano(toy_frames("toy_256"))
    assert len(yolox.person_boxes(found)) == 0


@pytest.mark.parametrize("wrong", [{"width": 0.01}, {"depth": 0}, {"n_classes": 0}, {"side_px": 100}, {"side_px": 0}])
def test_sizes_that_no_net_has(wrong):
    with pytest.raises(ValueError):
        yolox.YoloxConfig(**wrong)
