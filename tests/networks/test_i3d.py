"""I3D against the golden numbers of the official evaluation (filler weights, CPU float32)."""

from pathlib import Path

import decord
import numpy as np
import pytest
import torch

from savg_ray.errors import ClipError
from savg_ray.networks.i3d import FILL_GAIN, FILL_SALT, I3D, pad_same, preprocess_video
from savg_ray.weights.fill import fill_deterministic
from tests.toys import check_manifest, golden_json, golden_npz, sha16, toy_video

GOLDEN = golden_npz("i3d.npz")
SEEDS = [int(seed) for seed in GOLDEN["toy_seeds"]]
END_POINTS = [key[len("toy_ep_") : -len("_shape")] for key in GOLDEN if key.endswith("_shape")]
CLIPS = Path(__file__).parents[2].parent / "shared" / "clips" / "savgbench_joint_baseline"
FAST_REAL = {"sample_1.mp4:clip0", "sample_2.mp4:clip17", "sample_3.mp4:all20_raw"}


@pytest.fixture(scope="module")
def net():
    return fill_deterministic(I3D().eval(), FILL_SALT, FILL_GAIN)


@pytest.fixture(scope="module")
def toy_frames():
    return torch.from_numpy(np.stack([toy_video(seed, 20, 256, 256) for seed in SEEDS]))


@pytest.fixture(scope="module")
def toy_run(net, toy_frames):
    """Features of the toy batch, and what every end point gave on the way."""
    seen = {}

    def keep(name):
        def hook(_module, _inputs, output):
            t, h = output.shape[2] // 2, output.shape[3] // 2
            meanstd = (output.double().mean().item(), output.double().std().item())
            seen[name] = (tuple(output.shape), meanstd, output[:, :8, t, h, :4].numpy().copy())

        return hook

    hooks = [stage.register_forward_hook(keep(name)) for name, stage in net.end_points()]
    with torch.inference_mode():
        features = net(toy_frames).numpy()
    for hook in hooks:
        hook.remove()
    return features, seen


def test_state_dict_is_the_official_one(net):
    check_manifest(net, golden_json("i3d_manifest.json.gz"))


def test_filler_constants():
    assert GOLDEN["salt"] == FILL_SALT
    assert GOLDEN["gain"] == FILL_GAIN


def test_toy_inputs_are_the_golden_ones(toy_frames):
    assert [sha16(clip.numpy()) for clip in toy_frames] == list(GOLDEN["toy_video_sha16"])


def test_preprocessing(toy_frames):
    x = preprocess_video(toy_frames)
    assert x.shape == (2, 3, 20, 224, 224)
    assert x.dtype == torch.float32
    np.testing.assert_allclose(x[:, :, ::7, ::37, ::41].numpy(), GOLDEN["toy_preprocessed_slice"], atol=1e-6)


def test_preprocessing_leaves_224_px_frames_alone():
    frames = torch.from_numpy(toy_video(3, 2, 224, 224))
    expected = (frames.permute(3, 0, 1, 2).float() / 255 - 0.5) * 2
    torch.testing.assert_close(preprocess_video(frames[None])[0], expected, rtol=0, atol=1e-6)


def test_preprocessing_crops_the_longer_side_in_the_middle():
    ramp = torch.arange(256, dtype=torch.uint8)
    wide = ramp.expand(224, 256)[None, None, :, :, None].expand(1, 1, 224, 256, 3)
    expected = (ramp[16:240].float() / 255 - 0.5) * 2
    torch.testing.assert_close(preprocess_video(wide)[0, 1, 0, 100], expected, rtol=0, atol=1e-6)
    tall = wide.transpose(2, 3)
    torch.testing.assert_close(preprocess_video(tall)[0, 1, 0, :, 100], expected, rtol=0, atol=1e-6)


def test_all_end_points_are_compared(net):
    assert [name for name, _ in net.end_points()] == END_POINTS


@pytest.mark.parametrize("name", END_POINTS)
def test_end_point(toy_run, name):
    shape, meanstd, values = toy_run[1][name]
    assert shape == tuple(GOLDEN[f"toy_ep_{name}_shape"])
    np.testing.assert_allclose(meanstd, GOLDEN[f"toy_ep_{name}_meanstd"], rtol=1e-5)
    np.testing.assert_allclose(values, GOLDEN[f"toy_ep_{name}_slice"], atol=1e-4)


def test_features(toy_run):
    np.testing.assert_allclose(toy_run[0], GOLDEN["toy_feat"], atol=1e-4)


def test_features_do_not_depend_on_the_batch(net, toy_frames, toy_run):
    with torch.inference_mode():
        alone = net(toy_frames[1:]).numpy()
    np.testing.assert_allclose(alone[0], toy_run[0][1], atol=5e-5)


@pytest.mark.parametrize(("t", "h", "w"), [(16, 240, 320), (9, 128, 128), (11, 224, 224)])
def test_other_sizes(net, t, h, w):
    with torch.inference_mode():
        features = net(torch.from_numpy(toy_video(SEEDS[0] + 50, t, h, w))[None])
    np.testing.assert_allclose(features.numpy(), GOLDEN[f"feat_t{t}_{h}x{w}"], atol=1e-4)


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=() if n in FAST_REAL else pytest.mark.slow) for n in map(str, GOLDEN["real_names"])],
)
def test_real_clips(net, name):
    file, window = name.split(":")
    if not (CLIPS / file).is_file():
        pytest.skip(f"the sample clip {file} is not in ../shared/clips")
    frames = decord.VideoReader(str(CLIPS / file)).get_batch(range(20)).asnumpy()
    if window != "all20_raw":
        number = int(window.removeprefix("clip"))
        # The official loader resamples 4 to 10 frames a second, then goes through [-1, 1] and back, truncating.
        sources = np.floor(np.arange(number, number + 20, dtype=np.float32) * np.float32(4 / 10)).astype(int)
        scaled = frames[sources].astype(np.float32) / np.float32(127.5) - np.float32(1)
        frames = ((scaled + np.float32(1)) * np.float32(127.5)).astype(np.uint8)
        expected = golden_json("d_loader.json")["videos"][file]["clips"][number]
        assert sha16(frames.transpose(0, 3, 1, 2)) == expected["u8_tchw_sha256_16"]
    with torch.inference_mode():
        features = net(torch.from_numpy(frames)[None]).numpy()
    row = list(GOLDEN["real_names"]).index(name)
    np.testing.assert_allclose(features[0], GOLDEN["real_feat"][row], atol=1e-4)


def test_bfloat16_autocast_stays_close(net):
    frames = torch.from_numpy(toy_video(SEEDS[0] + 50, 9, 128, 128))[None]
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        features = net(frames)
    assert features.dtype == torch.float32
    error = features.numpy() - GOLDEN["feat_t9_128x128"]
    assert 0 < np.abs(error).max() < 0.05


def test_too_few_frames(net):
    with pytest.raises(ClipError, match="at least 9 frames and got 8") as caught:
        net(torch.zeros(1, 8, 64, 64, 3, dtype=torch.uint8))
    assert caught.value.reason == "too_few_frames"


@pytest.mark.parametrize("video", [torch.zeros(1, 9, 64, 64, 3), torch.zeros(1, 3, 9, 64, 64, dtype=torch.uint8)])
def test_other_frames_are_refused(video):
    with pytest.raises(ClipError, match="uint8 RGB") as caught:
        preprocess_video(video)
    assert caught.value.reason == "bad_frames"


@pytest.mark.parametrize("size", [1, 2, 7, 8, 9])
@pytest.mark.parametrize(("kernel", "stride"), [(7, 2), (3, 2), (3, 1), (2, 2), (1, 2)])
def test_same_padding(size, kernel, stride):
    x = torch.ones(1, 1, size, size, size)
    padded = pad_same(x, (kernel,) * 3, (stride,) * 3)
    windows = (torch.tensor(padded.shape[2:]) - kernel) // stride + 1
    assert windows.tolist() == [-(-size // stride)] * 3
    assert padded.sum() == x.sum()
    front = next(i for i, plane in enumerate(padded[0, 0]) if plane.any())
    assert front == (padded.shape[2] - size) // 2
