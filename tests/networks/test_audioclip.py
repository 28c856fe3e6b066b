"""AudioCLIP's audio tower against the golden numbers of the official evaluation (filler weights, CPU float32).

With filler weights and running statistics nothing tames the activations: embeddings reach 1e5, and float32 rounding
moves those of some clips by per cents of that. The golden ones are reproduced exactly only on the processor they come
from; the float32 and float64 versions of this network differ as much as it differs from them. Evaluation mode is
therefore held to the median clip, and loosely to the worst.
"""

import numpy as np
import pytest
import torch

from savg_ray.errors import ClipError
from savg_ray.metrics.frechet import frechet_distance
from savg_ray.networks.audioclip import (
    FILL_GAIN,
    FILL_SALT,
    AudioClipAudio,
    FrequencyBSpline,
    decibel_bands,
    fill_exceptions,
    scale_waveform,
    windowed_frames,
)
from savg_ray.weights.fill import fill_deterministic
from tests.toys import check_manifest, golden_json, golden_npz, sha16, toy_audio

GOLDEN = golden_npz("audioclip.npz")


def filled():
    net = AudioClipAudio().eval()
    return fill_deterministic(net, FILL_SALT, FILL_GAIN, fill_exceptions(net))


def toy_batch(name):
    clips = [toy_audio(int(seed), 2, int(GOLDEN["toy_len"]), 44100) for seed in GOLDEN[f"{name}_seeds"]]
    return torch.from_numpy(np.stack(clips).astype(np.float32))


def run(net, waveform, batch_statistics):
    with torch.inference_mode():
        return net(waveform, batch_statistics).numpy()


def watched_run(net, waveform, batch_statistics):
    """The embedding, and what entered the network, the last attention and the last layer on the way."""
    seen = {"picture": [], "features": [], "pooled": []}
    watched = {"picture": net.audio.conv1, "features": net.audio.att5, "pooled": net.audio.fc}
    hooks = [
        module.register_forward_pre_hook(
            lambda _module, inputs, name=name: seen[name].append(inputs[0].numpy().copy())
        )
        for name, module in watched.items()
    ]
    seen["embedding"] = run(net, waveform, batch_statistics)
    for hook in hooks:
        hook.remove()
    return seen


def check_evaluation_mode(embedding, golden):
    worst_by_clip = np.abs(embedding - golden).max(axis=1) / np.abs(golden).max()
    assert np.median(worst_by_clip) < 4e-3, worst_by_clip
    assert worst_by_clip.max() < 5e-2, worst_by_clip


@pytest.fixture(scope="module")
def net():
    return filled()


@pytest.fixture(scope="module")
def toy_a():
    return toy_batch("toyA")


@pytest.fixture(scope="module")
def real():
    return torch.from_numpy(GOLDEN["real_audio_s16"].astype(np.float32) / 32768)


@pytest.fixture(scope="module")
def toy_train(net, toy_a):
    return watched_run(net, toy_a, batch_statistics=True)


@pytest.fixture(scope="module")
def toy_eval(net, toy_a):
    return watched_run(net, toy_a, batch_statistics=False)


def test_state_dict_is_the_official_one(net, toy_train):
    assert toy_train["embedding"].shape == (8, 1024)  # the kernel's cache is filled by now
    check_manifest(net, golden_json("audioclip_audio_manifest.json.gz"))


def test_window():
    np.testing.assert_array_equal(AudioClipAudio().audio.window.numpy(), golden_npz("audioclip_window.npz")["window"])


def test_filler_and_toy_inputs_are_the_golden_ones():
    assert (GOLDEN["salt"], GOLDEN["gain"]) == (FILL_SALT, FILL_GAIN)
    clips = [toy_audio(int(seed), 2, 80000, 44100) for seed in GOLDEN["toyA_seeds"]]
    assert [sha16(clip) for clip in clips] == list(GOLDEN["toyA_sha16"])


def test_scaling_is_exact(toy_a):
    scaled = scale_waveform(toy_a)
    assert scaled.dtype == torch.float32
    np.testing.assert_array_equal(scaled[0, :, 1000:1064].numpy(), GOLDEN["toyA_train_scaled_wave"])


def test_frames(net, toy_a):
    frames = windowed_frames(scale_waveform(toy_a.flatten(0, 1)), net.audio.window)
    assert frames.shape == tuple(GOLDEN["toyA_train_frames_shape"])
    np.testing.assert_array_equal(frames[1, 50, ::26].numpy(), GOLDEN["toyA_train_frames"])


@pytest.mark.parametrize(("length", "n_frames"), [(1, 1), (1653, 1), (1654, 1), (1655, 2), (2215, 2), (2216, 3)])
def test_frame_counts(length, n_frames):
    frames = windowed_frames(torch.ones(1, length), torch.ones(1654))
    assert frames.shape == (1, n_frames, 1654)
    front = int(frames[0, 0].argmax())
    assert front == ((n_frames - 1) * 561 + 1654 - length) // 2


def test_kernel(net):
    kernel = net.audio.fbsp.kernel()
    assert kernel.shape == tuple(GOLDEN["toyA_train_fbsp_weights_shape"])
    np.testing.assert_allclose(kernel[::128, ::101].numpy(), GOLDEN["toyA_train_fbsp_weights"], rtol=0, atol=1e-8)


def test_projection(net, toy_a):
    frames = windowed_frames(scale_waveform(toy_a[0]), net.audio.window)
    projected = torch.einsum("nk,fkc->nfc", torch.nn.functional.pad(frames[1], (197, 197)), net.audio.fbsp.kernel())
    assert (16, *projected.transpose(0, 1).shape) == tuple(GOLDEN["toyA_train_spec_shape"])
    np.testing.assert_allclose(projected[70, ::93].numpy(), GOLDEN["toyA_train_spec"], rtol=1e-5, atol=1e-10)
    power = net.audio.fbsp(frames)
    assert power.dtype == torch.float32
    expected = projected.detach().square().sum(dim=-1)[:, :1023]
    torch.testing.assert_close(power[1].detach(), expected, rtol=1e-3, atol=1e-15)


def test_decibels(toy_train):
    picture = np.stack(toy_train["picture"], axis=1)
    assert picture.shape == tuple(GOLDEN["toyA_train_db_shape"])
    assert picture.dtype == np.float32
    np.testing.assert_allclose(picture[0, :, :, ::31, ::20], GOLDEN["toyA_train_db"], rtol=0, atol=5e-4)


def test_no_power_is_minus_180_db():
    power = torch.full((1, 2, 1023), 1e-3)
    power[0, 1, 341] = 0
    level_db = decibel_bands(power)
    assert level_db.shape == (1, 3, 341, 2)
    assert level_db[0, 1, 0, 1].item() == pytest.approx(-180)
    assert level_db[0, 1, 0, 0].item() == pytest.approx(-30)


def test_batch_statistics(toy_train):
    features = toy_train["features"]
    assert len(features) == 2
    assert features[0].shape == tuple(GOLDEN["toyA_train_feat_shape"])
    for channel, feature in enumerate(features):
        np.testing.assert_allclose(feature[0, ::64, 5, 2], GOLDEN[f"toyA_train_feat_ch{channel}"], atol=2e-3)
    np.testing.assert_allclose(toy_train["pooled"][0][:, ::8], GOLDEN["toyA_train_pooled"], atol=2e-3)
    np.testing.assert_allclose(toy_train["embedding"], GOLDEN["toyA_train"], atol=2e-3)
    np.testing.assert_array_equal(GOLDEN["toyA_train_emb"], GOLDEN["toyA_train"])


def test_batch_statistics_of_half_the_batch(net, toy_a, toy_train):
    embedding = run(net, toy_a[:4], batch_statistics=True)
    np.testing.assert_allclose(embedding, GOLDEN["toyA_first4_train"], atol=2e-3)
    assert np.abs(embedding - toy_train["embedding"][:4]).mean() > 0.1


def test_real_audio_with_batch_statistics(net, real):
    embedding = run(net, real, batch_statistics=True)
    error = np.abs(embedding - GOLDEN["real_train"])
    # Near silence float32 noise is part of the official numbers: they are 1.7e-3 off their own float64 value.
    assert error.max() < 3e-3
    assert np.sqrt(np.square(error).mean()) < 6e-4


def test_frechet_distance_of_toys(net, toy_train):
    y = run(net, toy_batch("toyB"), batch_statistics=True)
    np.testing.assert_allclose(y, GOLDEN["toyB_train"], atol=2e-3)
    fad = 1000 * frechet_distance(toy_train["embedding"], y)
    assert fad == pytest.approx(float(GOLDEN["fad_toy_train_x1000_fp64"]), rel=1e-4)
    assert fad == pytest.approx(float(GOLDEN["fad_toy_train_x1000_official_fp32"]), rel=3e-3)


def test_running_statistics(toy_eval):
    features = toy_eval["features"][0].reshape(8, 2, 2048, 11, 5)
    for channel in range(2):
        golden = GOLDEN[f"toyA_eval_feat_ch{channel}"]
        np.testing.assert_allclose(features[0, channel, ::64, 5, 2], golden, rtol=0, atol=2e-3 * np.abs(golden).max())
    check_evaluation_mode(toy_eval["pooled"][0][:, ::8], GOLDEN["toyA_eval_pooled"])
    check_evaluation_mode(toy_eval["embedding"], GOLDEN["toyA_eval"])


def test_real_audio_with_running_statistics(net, real):
    check_evaluation_mode(run(net, real, batch_statistics=False), GOLDEN["real_eval"])


def test_mono(net, toy_a):
    check_evaluation_mode(run(net, toy_a[:2, :1], batch_statistics=False), GOLDEN["mono_eval"])


def test_running_statistics_do_not_mix_clips(net, toy_a, toy_eval):
    alone = run(net, toy_a[:1], batch_statistics=False)
    together = toy_eval["embedding"]
    assert np.abs(alone[0] - together[0]).max() < 2e-3 * np.abs(together).max()


@pytest.mark.parametrize("training", [False, True])
def test_forward_changes_neither_statistics_nor_mode(net, toy_a, training):
    before = {key: value.clone() for key, value in net.state_dict().items()}
    net.train(training)
    try:
        short = toy_a[:2, :, :6000]
        train_like, eval_like = run(net, short, True), run(net, short, False)
        assert all(module.training is training for module in net.modules())
    finally:
        net.eval()
    for key, value in net.state_dict().items():
        assert torch.equal(value, before[key]), key
    np.testing.assert_array_equal(train_like, run(net, short, True))
    np.testing.assert_array_equal(eval_like, run(net, short, False))


def test_kernel_is_computed_once_and_follows_the_weights(monkeypatch):
    fbsp = FrequencyBSpline()
    built = []
    kernel = fbsp.kernel
    monkeypatch.setattr(fbsp, "kernel", lambda: built.append(1) or kernel())
    frames = torch.randn(1, 2, 1654, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        plain = fbsp(frames)
        assert torch.equal(fbsp(frames), plain)
        assert len(built) == 1
        shifted = {key: value + 0.25 for key, value in fbsp.state_dict().items()}
        for key, tensor in fbsp.state_dict().items():
            tensor.copy_(shifted[key])
        changed_in_place = fbsp(frames)
        assert len(built) == 2
        assert not torch.allclose(changed_in_place, plain, rtol=0.1)
        fbsp.load_state_dict(FrequencyBSpline().state_dict())
        assert torch.equal(fbsp(frames), plain)
        assert len(built) == 3
        fbsp.load_state_dict(shifted, assign=True)
        assert torch.equal(fbsp(frames), changed_in_place)
    assert set(fbsp.state_dict()) == {"m", "fb", "fc", "bias"}


def test_untrained_kernel_is_a_fourier_transform():
    kernel = FrequencyBSpline().kernel().detach()
    t = np.pi * np.linspace(-1, 1, 2048)
    # A float32 phase of up to 3200 rad is good to 2e-4 rad, times the amplitude of 1/45.
    expected = np.exp(-1j * np.arange(1025)[:, None] * t) / np.sqrt(2048)
    np.testing.assert_allclose(torch.view_as_complex(kernel).numpy(), expected, atol=2e-5)


def test_bfloat16_autocast_keeps_the_spectrogram_and_the_direction(net, toy_a, toy_train):
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        picture = net.audio.spectrogram(toy_a[0])
        embedding = net(toy_a[:4], batch_statistics=True)
    assert picture.dtype == torch.float32
    # One clip alone, too: the sums do not depend on the batch.
    np.testing.assert_allclose(picture.numpy(), np.stack(toy_train["picture"], axis=1)[0], rtol=0, atol=2e-5)
    assert embedding.dtype == torch.float32
    # Close in direction only: with filler weights bfloat16 noise is as large as the difference between clips.
    for row, golden in zip(embedding.numpy(), GOLDEN["toyA_first4_train"], strict=True):
        assert 0.9 < np.corrcoef(row, golden)[0, 1] < 0.9999


def test_batch_statistics_need_two_clips(net):
    with pytest.raises(ClipError, match="at least two clips") as caught:
        net(torch.zeros(1, 2, 4000), batch_statistics=True)
    assert caught.value.reason == "single_clip_batch"


@pytest.mark.parametrize("shape", [(2, 4000), (1, 0, 4000), (1, 2, 0)])
def test_other_waveforms_are_refused(net, shape):
    with pytest.raises(ClipError, match="with sound") as caught:
        net(torch.zeros(shape))
    assert caught.value.reason == "bad_audio"


@pytest.mark.gpu
def test_spectrogram_is_the_same_on_a_gpu(toy_a, toy_train):
    net = filled().cuda()
    with torch.inference_mode():
        scaled = scale_waveform(toy_a.cuda()).cpu()
        picture = net.audio.spectrogram(toy_a.cuda()[0]).cpu().numpy()
    assert torch.equal(scaled, scale_waveform(toy_a))
    np.testing.assert_allclose(picture, np.stack(toy_train["picture"], axis=1)[0], rtol=0, atol=1e-4)
