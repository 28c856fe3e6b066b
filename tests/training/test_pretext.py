import numpy as np
import pytest
import torch

from savg_ray.training.draws import Draw
from savg_ray.training.pretext import (
    PretextNetwork,
    clean_and_distorted,
    content_targets,
    distances_by_strength,
    pretext_loss,
    rises,
)

KINDS = {
    "add": lambda media, strength, rng: media + np.float32(strength),
    "shake": lambda media, strength, rng: media + rng.standard_normal(media.shape).astype(np.float32) * strength,
}


def test_content_is_told_from_labels():
    label_class, label_px = np.full(50, -1), np.full((50, 2), -1)
    assert content_targets(label_class, label_px, 256).tolist() == [0, 0, 0]
    label_class[10:30] = 1
    label_px[10:30, 0] = 0
    np.testing.assert_allclose(content_targets(label_class, label_px, 256), [1, -1, 0])
    label_class[10:30] = 0
    label_px[10:20, 0], label_px[20:30, 0] = 0, 255
    np.testing.assert_allclose(content_targets(label_class, label_px, 256), [0, 0, 1], atol=1e-7)


def test_pairs_are_the_draws_own_and_strengths_say_what_was_done():
    media = np.zeros((3, 4), np.float32)
    seen = set()
    for position in range(40):
        draw = Draw(5, position, 0)
        pair, strengths = clean_and_distorted(media, KINDS, 0.4, draw)
        again = clean_and_distorted(media, KINDS, 0.4, draw)
        assert np.array_equal(pair, again[0]) and np.array_equal(strengths, again[1])
        assert pair.shape == (2, 3, 4) and strengths.shape == (2, 2)
        assert pair.dtype == strengths.dtype == np.float32
        assert not pair[0].any() and not strengths[0].any()
        if not strengths[1, 1]:
            np.testing.assert_allclose(pair[1], strengths[1, 0])
        seen.add(tuple((strengths[1] > 0).tolist()))
    assert seen == {(False, False), (True, False), (False, True), (True, True)}


def test_the_share_says_how_often_each_distortion_is_there():
    media = np.zeros(2, np.float32)
    there = [clean_and_distorted(media, KINDS, 0.2, Draw(1, position, 0))[1][1] > 0 for position in range(1000)]
    np.testing.assert_allclose(np.mean(there, axis=0), 0.2, atol=0.04)
    assert np.all(clean_and_distorted(media, KINDS, 1.0, Draw(1, 0, 0))[1][1] > 0)


def test_loss_of_right_and_of_wrong_answers():
    strengths = torch.tensor([[[0.0, 0.0], [0.5, 0.0]], [[0.0, 0.0], [0.0, 1.0]]])
    content = torch.tensor([[1.0, -0.5, 0.2], [0.0, 0.5, 0.0]])
    told = content.repeat_interleave(2, dim=0).clone()
    told[:, 0] = 60 * told[:, 0] - 30
    answers = torch.cat([strengths.flatten(0, 1), told], dim=1)
    right = pretext_loss(answers, strengths, content)
    assert {name: pytest.approx(0, abs=1e-6) for name in right} == {name: float(v) for name, v in right.items()}
    answers[3, 1] = 0
    assert float(pretext_loss(answers, strengths, content)["strength"]) == pytest.approx(1 / 8)
    answers[0, 3] += 2
    wrong = pretext_loss(answers, strengths, content)
    assert float(wrong["place"]) == pytest.approx(1.0)
    assert float(wrong["loss"]) > float(right["loss"])


def test_the_answers_are_linear_in_the_features():
    net = PretextNetwork(torch.nn.Flatten(), 12, 2)
    media = torch.randn(2, 3, 4)
    middle = net(media.mean(dim=0, keepdim=True))
    torch.testing.assert_close(net(media).mean(dim=0, keepdim=True), middle)
    assert middle.shape == (1, 5)


def test_distances_rise_where_features_tell_and_only_there():
    rng = np.random.Generator(np.random.PCG64(0))
    clips = [rng.standard_normal((1, 2)).astype(np.float32) for _ in range(400)]
    read = []

    def one_by_one():
        for clip in clips:
            read.append(clip)
            yield clip

    found = distances_by_strength(lambda media: media[0], one_by_one(), KINDS, levels=(0.5, 1.0, 2.0))
    assert len(read) == len(clips)
    assert {kind: len(distances) for kind, distances in found.items()} == {"add": 4, "shake": 4}
    assert found["add"][0] == found["shake"][0] < 0.05
    assert rises(found["add"]) and rises(found["shake"])
    np.testing.assert_allclose(found["add"][3], 2 * 2.0**2, rtol=0.15)
    blind = distances_by_strength(lambda media: media[0] * 0 + 1, clips, KINDS, levels=(1.0,))
    assert blind == {"add": [0, 0], "shake": [0, 0]}
    assert not rises(blind["add"])


def test_what_rises():
    assert rises([0, 1, 2])
    assert not rises([0, 1, 1])
    assert not rises([0, 2, 1])
