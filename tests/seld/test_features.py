import numpy as np
import pytest
import torch

from savg_ray.errors import ClipError
from savg_ray.networks import seld
from savg_ray.seld.events import loop_padded
from savg_ray.seld.features import stereo_features
from savg_ray.weights.fill import fill_deterministic
from tests.seld.sounds import GOLDEN, golden_sound
from tests.toys import golden_npz, toy_audio


def assert_features(found: np.ndarray, expected: np.ndarray, phase_atol: float):
    np.testing.assert_allclose(found[:2], expected[:2], atol=1e-5, rtol=0)
    turn = (found[2] - expected[2] + np.pi) % (2 * np.pi) - np.pi
    assert np.abs(turn).max() < phase_atol


@pytest.mark.parametrize("name", GOLDEN)
def test_inference_features(name):
    golden = golden_npz("seld.npz")
    features = stereo_features(golden_sound(name), center=False)
    padded = loop_padded(features)
    assert features.dtype == np.float32
    assert list(padded.shape) == GOLDEN[name]["feat_shape"]
    phase_atol = 1e-2 if GOLDEN[name]["src"] == "mp4" else 1e-4
    assert_features(padded[:, ::16, ::25], golden[f"{name}__feat_slice"], phase_atol)
    assert_features(padded[:, :40, :6], golden[f"{name}__feat_first_frames"], phase_atol)


def test_training_features_and_what_the_network_makes_of_them():
    golden = golden_npz("seld_train_feature.npz")
    start = golden["start"].item()
    sound = toy_audio(golden["seed"].item(), 2, 80000, 16000).astype(np.float32)
    features = stereo_features(sound[:, start : start + 20320], center=True)
    assert features.shape == tuple(golden["shape"])
    assert_features(features[:, ::16, ::8], golden["feat_slice"], 1e-4)
    assert_features(features[:, :12, :4], golden["edge"], 1e-4)

    net = seld.SeldNet().eval()
    fill_deterministic(net, seld.FILL_SALT, seld.FILL_GAIN, seld.fill_exceptions(net))
    with torch.inference_mode():
        logits, position = net(torch.from_numpy(features)[None])
    np.testing.assert_allclose(logits[0], golden["logit_cat"][0, 0], atol=1e-3)
    np.testing.assert_allclose(position[0], golden["logit_azi"][0, 0], atol=1e-3)


def test_swapped_channels_swap_amplitudes_and_turn_the_phase():
    sound = toy_audio(5, 2, 4000, 16000)
    features, swapped = stereo_features(sound, center=False), stereo_features(sound[::-1], center=False)
    np.testing.assert_array_equal(features[:2], swapped[1::-1])
    np.testing.assert_allclose(np.exp(1j * (features[2] + swapped[2])), 1, atol=1e-5)
    assert features[2].min() >= 0 and features[2].max() < 2 * np.pi + 1e-6


def test_a_tail_shorter_than_a_hop_is_dropped():
    sound = toy_audio(5, 2, 4159, 16000)
    features = stereo_features(sound, center=False)
    assert features.shape == (3, 257, 25)
    np.testing.assert_array_equal(features, stereo_features(sound[:, :4000], center=False))


@pytest.mark.parametrize(
    ("shape", "reason"), [((1, 4000), "not_stereo"), ((4000,), "not_stereo"), ((2, 159), "too_short")]
)
def test_unusable_sound(shape, reason):
    with pytest.raises(ClipError) as error:
        stereo_features(np.zeros(shape), center=False)
    assert error.value.reason == reason
