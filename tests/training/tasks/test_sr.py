import cv2
import numpy as np
import pytest
import torch

from savg_ray.errors import UserError
from savg_ray.media.pictures import resized
from savg_ray.training.config import PRESETS, load_training_config
from savg_ray.training.draws import Draw
from savg_ray.training.examples import stacked
from savg_ray.training.tasks import sr
from savg_ray.training.tasks.sr import make_task
from savg_ray.weights.fill import fill_deterministic
from tests.diffusion.goldens import golden
from tests.networks.unet_golden import filled, golden_config
from tests.training.tasks.diffusion_clips import make_data
from tests.training.tasks.on_a_made_up_gpu import losses_on_a_made_up_gpu

NETWORK = {
    "patch": 4,
    "num_channels": 32,
    "channel_mult": [1, 1],
    "num_res_blocks": 1,
    "attention_resolutions": [],
    "learn_sigma": False,
}
SETTINGS = {
    "network": NETWORK,
    "predicts": "clean",
    "total_steps": 1000,
    "rows": "content",
    "height_px": 64,
    "width_px": 64,
    "degradations": {"noise_share": 0.0, "jpeg_share": 0.0},
    "validation_frames": 3,
    "validation_respacing": "ddim2",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("built"))


@pytest.fixture
def task(data):
    return lambda **changes: make_task({**SETTINGS, **changes}, data)


def example(task, index, position):
    draw = Draw(3, position, 0)
    return {**task.example(index, draw), "draw": draw.column()}


def test_examples_are_a_frame_and_its_small_version(task):
    one = task().example(0, Draw(3, 0, 0))
    # 9 of 16 small rows, widened to the 10 that the network takes.
    assert one["picture"].shape == (3, 40, 64) and one["picture"].dtype == np.uint8
    assert one["low_res"].shape == (3, 10, 16) and one["low_res"].dtype == np.float32
    means = one["picture"].reshape(3, 10, 4, 16, 4).mean(axis=(2, 4)) / 127.5 - 1
    assert np.abs(one["low_res"] - means).mean() < 0.1
    whole = task(rows="all").example(0, Draw(3, 0, 0))
    assert whole["picture"].shape == (3, 64, 64) and whole["low_res"].shape == (3, 16, 16)


def test_pictures_are_made_small_with_antialiasing_or_without(task):
    found = {}
    for antialias in (True, False):
        one = task(rows="all", height_px=32, width_px=32, antialias=antialias).example(0, Draw(3, 0, 0))
        large = one["picture"].transpose(1, 2, 0)[None]
        small = np.rint((one["low_res"] + 1) * 127.5).astype(np.uint8).transpose(1, 2, 0)[None]
        assert np.array_equal(small, resized(large, 8, 8, antialias))
        found[antialias] = large
    assert not np.array_equal(found[True], found[False])


def test_mirrored_pictures_take_their_small_versions_along(task):
    plain, mirroring = task(), task(mirror=True)
    mirrored = [not np.array_equal(*(t.example(0, Draw(3, i, 0))["picture"] for t in (plain, mirroring)))
                for i in range(12)]  # fmt: skip
    assert 0 < sum(mirrored) < 12
    place = mirrored.index(True)
    a, b = plain.example(0, Draw(3, place, 0)), mirroring.example(0, Draw(3, place, 0))
    for name, column in a.items():
        assert np.array_equal(column[:, :, ::-1], b[name])


def test_degradations_reach_the_small_pictures_alone(task):
    plain, noisy = task(), task(degradations={"noise_share": 1.0, "noise_levels": 50, "jpeg_share": 0})
    a, b = plain.example(0, Draw(3, 1, 0)), noisy.example(0, Draw(3, 1, 0))
    assert np.array_equal(a["picture"], b["picture"]) and not np.array_equal(a["low_res"], b["low_res"])


@pytest.mark.parametrize("predicts", ["noise", "clean"])
def test_a_draw_gives_the_same_loss_in_any_batch(task, predicts):
    one = task(predicts=predicts)
    network = fill_deterministic(one.build(), 1)
    examples = [example(one, index, position) for index, position in ((0, 5), (1, 6), (2, 7))]
    with torch.no_grad():
        together = one.loss(network, stacked(examples))
        alone = [float(one.loss(network, stacked([each]))["loss"]) for each in examples]
    assert float(together["loss"]) == pytest.approx(np.mean(alone), rel=1e-5)
    assert len(set(alone)) == 3


def test_activations_computed_again_give_the_same_gradients(task):
    gradients = []
    for recompute in (False, True):
        one = task(recompute=recompute)
        network = fill_deterministic(one.build(), 1)
        one.loss(network, stacked([example(one, 0, 1)]))["loss"].backward()
        gradients.append({key: tensor.grad for key, tensor in network.named_parameters()})
    for key, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][key], gradient, rtol=1e-4, atol=1e-6)


class GoldenDraw:
    """The random numbers of the official run for one example."""

    def __init__(self, arrays, place):
        self._arrays, self._place = arrays, place

    def generator(self, purpose):
        return self

    def integers(self, bound):
        return self._arrays["timesteps"][self._place]

    def standard_normal(self, shape, dtype):
        return self._arrays["noise"][self._place]


@pytest.mark.parametrize("kind", ["mse", "rescaled_mse", "rescaled_kl"])
def test_golden_loss(data, monkeypatch, kind):
    arrays = golden("loss_sr_unet")
    settings = {**SETTINGS, "network": golden_config("sr_b")["config"], "predicts": "noise", "loss": kind}
    one = make_task({**settings, "rows": "all"}, data)
    monkeypatch.setattr(sr, "draws_of", lambda column: [GoldenDraw(arrays, i) for i in range(len(column))])
    batch = {
        "picture": (torch.from_numpy(arrays["x"]) + 1) * 127.5,
        "low_res": torch.from_numpy(arrays["low_res"]),
        "draw": torch.zeros(2, 3),
    }
    with torch.no_grad():
        found = one.loss(filled(one.build(), "sr_b"), batch)
    assert float(found["loss"]) == pytest.approx(arrays[f"{kind}_loss"].mean(), rel=1e-4)


def test_a_tiny_network_learns_a_picture_and_upsamples_it(task, tmp_path):
    one = task(train_split="eval")
    torch.manual_seed(0)
    network = one.build()
    before = one.validate(network.eval(), tmp_path)
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
    batches = [stacked([example(one, index, 4 * turn + index) for index in range(4)]) for turn in range(4)]
    network.train()
    for step in range(60):
        optimiser.zero_grad()
        one.loss(network, batches[step % 4])["loss"].backward()
        optimiser.step()
    after = one.validate(network.eval(), tmp_path)
    assert after["held_out_loss"] < 0.5 * before["held_out_loss"]
    assert after["psnr_db"] > before["psnr_db"] + 3
    assert after["bicubic_psnr_db"] == before["bicubic_psnr_db"]
    # Rows of bicubic interpolation, sample, truth.
    assert cv2.imread(str(tmp_path / "pictures.png")).shape == (3 * 40, 3 * 64, 3)
    assert one.validate(network, tmp_path) == after


def test_what_is_exported_is_what_the_presets_load(data):
    for preset, name in (("sr", "model_SR_mmdiff_120000.pt"), ("sr-mini", "sr_mini.safetensors")):
        assert make_task(load_training_config(preset).task, data).export_name == name
    assert {path.stem for path in PRESETS.glob("sr*.yaml")} == {"sr", "sr-mini"}


def test_the_official_recipe(data):
    config = load_training_config("sr")
    settings = make_task(config.task, data).settings
    assert (settings.shape.base_channels, settings.shape.patch_px, settings.shape.learned_variance) == (192, 1, True)
    assert (settings.degradations.noise_share, settings.degradations.noise_levels) == (0.5, 20)
    assert (settings.degradations.jpeg_share, settings.degradations.jpeg_quality) == (0.5, (20, 80))
    assert not settings.mirror and settings.loss == "mse" and not settings.antialias
    assert (config.optimiser.learning_rate, config.batch_size, config.average.decay) == (1e-4, 48, 0.9999)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"degradation": {}}, "unknown key 'degradation'; did you mean 'degradations'"),
        ({"degradations": {"noise": 1}}, "unknown key 'degradations.noise'"),
        ({"degradations": {"jpeg_quality": [90, 20]}}, "jpeg_quality must rise within 1 to 100"),
        ({"network": {**NETWORK, "learn_sigma": True}}, "set network.learn_sigma: false"),
        ({"network": {**NETWORK, "dropout": 0.1}}, "task.network.dropout is 0.1 and task.dropout 0.0, but they are"),
        ({"network": {**NETWORK, "use_checkpoint": True}}, "task.network.use_checkpoint is True and task.recompute"),
        ({"predicts": "noise", "loss": "rescaled_kl"}, "only mse is a loss of a network without a variance"),
        ({"height_px": 66}, "height_px and width_px must be multiples of 4"),
        ({"width_px": 60}, "40×60 pixels at every level: height and width must be multiples of 8"),
        ({"validation_respacing": "ddim1001"}, "no integer stride"),
        ({"validation_split": "nobody"}, "video_nobody holds no mp4 files"),
    ],
)
def test_bad_settings_are_refused(task, changes, message):
    with pytest.raises(UserError, match=message):
        task(**changes)


def test_losses_on_a_gpu_mix_no_devices(task):
    losses = losses_on_a_made_up_gpu(task())
    assert losses and {value.device.type for value in losses.values()} == {"cuda"}
