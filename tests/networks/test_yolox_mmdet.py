"""The native YOLOX-tiny against mmdet's own, where the extra is installed."""

import sys

import numpy as np
import pytest

from savg_ray.errors import UserError
from savg_ray.networks import yolox
from savg_ray.networks.yolox_mmdet import MmdetYoloxTiny
from savg_ray.weights.fill import fill_deterministic
from tests.samples import joint_sample
from tests.toys import toy_video


@pytest.fixture(scope="module")
def native():
    net = yolox.YoloxTiny().eval()
    return fill_deterministic(net, yolox.FILL_SALT, yolox.FILL_GAIN, yolox.fill_exceptions(net))


@pytest.fixture(scope="module")
def official(native):
    return MmdetYoloxTiny(native.state_dict())


def assert_same_detections(ours, theirs):
    """Same classes, scores within 1e-4, boxes within 0.01 px; near ties may swap places."""
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert len(mine.scores) == len(other.scores) > 100
        for label in mine.labels.unique():
            a, b = mine.labels == label, other.labels == label
            assert a.sum() == b.sum()
            box_gap = (mine.boxes_px[a][:, None] - other.boxes_px[b][None]).abs().amax(dim=2)
            score_gap = (mine.scores[a][:, None] - other.scores[b][None]).abs()
            agree = (box_gap < 0.01) & (score_gap < 1e-4)
            assert agree.any(dim=0).all() and agree.any(dim=1).all(), label


@pytest.mark.mmdet
@pytest.mark.parametrize(("seed", "height", "width"), [(71, 256, 256), (72, 144, 256), (73, 300, 200)])
def test_toy_pictures(native, official, seed, height, width):
    frames = np.ascontiguousarray(toy_video(seed, 2, height, width)[..., ::-1])
    assert_same_detections(native(frames), official(frames))


@pytest.mark.mmdet
@pytest.mark.parametrize("name", ["sample_1", "sample_2", "sample_3"])
def test_generated_clips(native, official, name):
    import av

    with av.open(str(joint_sample(f"{name}.mp4"))) as container:
        frames = np.stack([frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)])[::6]
    assert_same_detections(native(frames), official(frames))


@pytest.mark.mmdet
def test_no_frames_and_wrong_weights(native, official):
    assert official(np.empty((0, 256, 256, 3), np.uint8)) == []
    state = dict(native.state_dict())
    state.pop("bbox_head.multi_level_conv_obj.2.bias")
    with pytest.raises(UserError, match=r"multi_level_conv_obj\.2\.bias"):
        MmdetYoloxTiny(state)


def test_missing_extra_is_one_clear_sentence(native, monkeypatch):
    monkeypatch.setitem(sys.modules, "mmdet", None)
    monkeypatch.delitem(sys.modules, "mmdet.models", raising=False)
    with pytest.raises(UserError, match=r"pip install savg-ray\[mmdet\]"):
        MmdetYoloxTiny(native.state_dict())
