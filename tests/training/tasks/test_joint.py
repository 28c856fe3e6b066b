import pickle

import numpy as np
import pytest
import torch

from savg_ray.errors import ClipError, UserError
from savg_ray.media.pictures import resized
from savg_ray.media.reader import read_clip
from savg_ray.training.clip_dataset import is_mirrored
from savg_ray.training.config import PRESETS, load_training_config
from savg_ray.training.draws import Draw
from savg_ray.training.examples import stacked
from savg_ray.training.tasks import joint
from savg_ray.training.tasks.joint import make_task
from savg_ray.weights.fill import fill_deterministic
from tests.diffusion.goldens import golden
from tests.networks.unet_golden import filled, golden_config
from tests.training.tasks.diffusion_clips import N_FRAMES, N_SAMPLES, RATE_HZ, SIDE_PX, make_data, write_clip
from tests.training.tasks.on_a_made_up_gpu import losses_on_a_made_up_gpu

NETWORK = {
    "video_patch": 8,
    "audio_patch": 40,
    "num_channels": 32,
    "channel_mult": [1],
    "num_res_blocks": 1,
    "cross_attention_resolutions": [1],
    "cross_attention_windows": [2],
    "video_attention_resolutions": [],
    "num_head_channels": 32,
}
SETTINGS = {
    "network": NETWORK,
    "n_frames": N_FRAMES,
    "height_px": 40,
    "width_px": SIDE_PX,
    "pad_to_px": SIDE_PX,
    "fps": 4,
    "n_samples": N_SAMPLES,
    "rate_hz": RATE_HZ,
    "predicts": "clean",
    "sound_gain": 2.0,
    "mirror": "none",
    "dropout": 0.0,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("built"))


@pytest.fixture
def task(data):
    return lambda **changes: make_task({**SETTINGS, **changes}, data)


def example(task, index, position, epoch=0):
    draw = Draw(3, position, epoch)
    return {**task.example(index, draw), "draw": draw.column()}


def side(one):
    """-1 where a thing is on the left, 1 on the right: of the pictures, and of the sound."""
    levels = one["audio"].std(axis=1)
    columns = one["video"].astype(float).mean(axis=(0, 1, 2))
    return np.sign(columns[32:].sum() - columns[:32].sum()), np.sign(levels[1] - levels[0])


def test_examples_are_small_pictures_without_black_rows_and_the_whole_sound(task):
    one = task().example(0, Draw(3, 0, 0))
    assert one["video"].shape == (N_FRAMES, 3, 40, SIDE_PX) and one["video"].dtype == np.uint8
    assert one["audio"].shape == (2, N_SAMPLES) and one["audio"].dtype == np.float32
    # Two black rows are left above and below 36 rows of 16:9.
    lit = np.flatnonzero(one["video"].mean(axis=(0, 1, 3)) > 40)
    assert (lit[0], lit[-1]) == (2, 37)
    assert side(one) == (-1, -1)


def test_pictures_are_made_small_with_antialiasing_or_without(task, data):
    frames = read_clip(data / "video_dev" / "clip0.mp4").frames
    found = {}
    for antialias in (True, False):
        one = task(height_px=24, width_px=32, pad_to_px=32, antialias=antialias)
        found[antialias] = one.example(0, Draw(3, 0, 0))["video"].transpose(0, 2, 3, 1)
        assert np.array_equal(found[antialias], resized(frames, 32, 32, antialias)[:, 4:28])
    assert not np.array_equal(found[True], found[False])


def test_mirrors(task):
    for epoch in range(4):
        found = side(task(mirror="paired").example(0, Draw(3, 0, epoch)))
        assert found == ((1, 1) if is_mirrored("clip0", 3, epoch) else (-1, -1))
    assert side(task(mirror="official").example(0, Draw(3, 0, 0))) == (1, -1)


def test_a_placed_sound_is_drawn_where_the_picture_shows_it_and_mirrored_with_it(task):
    for epoch in range(4):
        one = task(sound_form="placed", mirror="paired").example(0, Draw(3, 0, epoch))
        assert one["audio"].shape == (1, N_SAMPLES) and one["places"].shape == (N_FRAMES, SIDE_PX)
        bright = np.sign(one["places"].mean(axis=0).argmax() - SIDE_PX / 2)
        assert bright == (1 if is_mirrored("clip0", 3, epoch) else -1)


def test_an_error_of_place_weighs_the_same_however_faint_it_is_made(task):
    losses = []
    for gain in (1.0, 0.02):
        one = task(sound_form="placed", place_gain=gain)
        # Before it has learned anything the network puts out zeros.
        losses.append(float(one.loss(one.build(), stacked([example(one, 0, 1)]))["video"].detach()))
    plain = task()
    without = float(plain.loss(plain.build(), stacked([example(plain, 0, 1)]))["video"].detach())
    assert losses[0] == pytest.approx(losses[1]) and losses[0] != pytest.approx(without)


def test_clips_kept_in_memory_are_the_same_and_do_not_travel(task):
    kept, fresh = task(in_memory=True, mirror="paired"), task(mirror="paired")
    for epoch in (0, 1, 2):
        for name, column in fresh.example(1, Draw(3, 0, epoch)).items():
            assert np.array_equal(kept.example(1, Draw(3, 0, epoch))[name], column)
    assert len(pickle.dumps(kept)) < 20000


def test_a_draw_gives_the_same_loss_in_any_batch(task):
    one = task()
    network = fill_deterministic(one.build(), 1)
    examples = [example(one, index, position) for index, position in ((0, 5), (1, 6), (2, 7))]
    with torch.no_grad():
        together = one.loss(network, stacked(examples))
        alone = [one.loss(network, stacked([each])) for each in examples]
    for name, value in together.items():
        assert float(value) == pytest.approx(np.mean([float(each[name]) for each in alone]), rel=1e-5)
    assert len({float(each["loss"]) for each in alone}) == 3


def test_activations_computed_again_see_the_same_windows(task):
    gradients = []
    for recompute in (False, True):
        one = task(recompute=recompute)
        network = fill_deterministic(one.build(), 1)
        one.loss(network, stacked([example(one, 0, 1), example(one, 1, 2)]))["loss"].backward()
        gradients.append({key: tensor.grad for key, tensor in network.named_parameters()})
    assert one.settings.shape.recompute
    for key, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][key], gradient, rtol=1e-4, atol=1e-6)


def test_every_example_draws_shifts_of_its_own(task, monkeypatch):
    one, seen = task(), []
    network = one.build()
    monkeypatch.setattr(network, "forward", lambda v, a, t, shifts: (seen.append(shifts), (v, a))[1])
    one.loss(network, stacked([example(one, 0, position) for position in range(8)]))
    assert seen[0].shape == (8, 3)
    assert len({tuple(row) for row in seen[0].tolist()}) > 1
    assert int(seen[0].min()) >= 0 and int(seen[0].max()) <= N_FRAMES - 2


class GoldenDraw:
    """The random numbers of the official run for one example."""

    def __init__(self, arrays, place):
        self._arrays, self._place = arrays, place

    def generator(self, purpose):
        return type(self)._Numbers(self._arrays, self._place, purpose)

    class _Numbers:
        def __init__(self, arrays, place, purpose):
            self._arrays, self._place, self._purpose = arrays, place, purpose

        def integers(self, *bounds):
            return self._arrays["shifts"] if self._purpose == "shifts" else self._arrays["timesteps"][self._place]

        def standard_normal(self, shape, dtype):
            return self._arrays["noise_" + self._purpose.removesuffix(" noise")][self._place]


def test_golden_loss(data, monkeypatch):
    arrays = golden("loss_mm_unet")
    config = dict(golden_config("mm_b")["config"])
    for size in ("video_size", "audio_size"):
        config.pop(size)
    form = {"n_frames": 4, "height_px": 16, "width_px": 16, "pad_to_px": None, "n_samples": 1120}
    changes = {"predicts": "noise", "sound_gain": 1.0}
    one = make_task({**SETTINGS, **form, **changes, "network": config}, data)
    monkeypatch.setattr(joint, "draws_of", lambda column: [GoldenDraw(arrays, i) for i in range(len(column))])
    batch = {
        "video": (torch.from_numpy(arrays["video"]) + 1) * 127.5,
        "audio": torch.from_numpy(arrays["audio"]),
        "draw": torch.zeros(2, 3),
    }
    with torch.no_grad():
        found = one.loss(filled(one.build(), "mm_b"), batch)
    for name, key in (("loss", "loss"), ("video", "mse_video"), ("audio", "mse_audio")):
        assert float(found[name]) == pytest.approx(arrays[key].mean(), rel=1e-4)


@pytest.mark.parametrize(
    "form", [{"predicts": "noise"}, {"predicts": "clean"}, {"predicts": "clean", "sound_form": "placed"}]
)
def test_a_tiny_network_learns_a_clip(task, form):
    one = task(**form)
    torch.manual_seed(0)
    network = one.build()
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
    batch = stacked([example(one, 0, position) for position in range(2)])
    losses = []
    for _ in range(12):
        optimiser.zero_grad()
        values = one.loss(network, batch)
        values["loss"].backward()
        optimiser.step()
        losses.append(float(values["loss"].detach()))
    assert losses[-1] < 0.75 * losses[0]


def test_validation_is_the_same_every_time_and_sees_the_network(task, tmp_path):
    one = task(validation_clips=3)
    network = fill_deterministic(one.build(), 1).eval()
    first, second = one.validate(network, tmp_path), one.validate(network, tmp_path)
    assert first == second and set(first) == {"held_out_loss", "held_out_video", "held_out_audio"}
    assert one.best[0] in first
    assert one.validate(fill_deterministic(network, 2), tmp_path) != first


def test_what_is_exported_is_what_the_presets_load(task, data):
    assert task().export_name == "mm_mini.safetensors"
    for preset in ("joint", "joint-mini"):
        config = load_training_config(preset)
        official = make_task(config.task, data)
        assert official.export_name == ("model330011.pt" if preset == "joint" else "mm_mini.safetensors")
    assert {path.stem for path in PRESETS.glob("joint*.yaml")} == {"joint", "joint-mini"}


def test_the_official_recipe(data):
    config = load_training_config("joint")
    settings = make_task(config.task, data).settings
    shape = settings.shape
    assert not settings.antialias
    assert (shape.dropout, shape.base_channels, shape.video_patch_px) == (0.1, 128, 1)
    assert (config.optimiser.learning_rate, config.batch_size, config.average.decay) == (2e-4, 32, 0.9999)


def test_clips_of_another_form_are_named(data, tmp_path):
    root = make_data(tmp_path)
    write_clip(root, "dev", "clip0", "left", n_samples=8000)
    with pytest.raises(ClipError, match=r"clip0.mp4 has 4 frames at 4 fps and 8\d+ samples at 16000 Hz, not 4"):
        make_task(SETTINGS, root).example(0, Draw(0, 0, 0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"networks": {}}, "unknown key 'networks'; did you mean 'network'"),
        ({"predicts": "velocity"}, "key 'predicts'"),
        ({"pad_to_px": 63}, "pad_to_px 63 does not add as many rows above as below to height_px 40"),
        ({"pad_to_px": 38}, "pad_to_px 38 does not add"),
        ({"sound_gain": 0}, "key 'sound_gain'"),
        (
            {"network": {**NETWORK, "video_size": [4, 3, 40, 64]}},
            "network.video_size says what n_frames, height_px and width_px beside network say; set those",
        ),
        ({"network": {**NETWORK, "audio_size": "2,99"}}, "network.audio_size says what n_samples beside network say"),
        ({"network": {**NETWORK, "width": 3}}, "knows no setting called width"),
        ({"network": {**NETWORK, "dropout": 0.1}}, "task.network.dropout is 0.1 and task.dropout 0.0, but they are"),
        ({"network": {**NETWORK, "use_checkpoint": True}}, "task.network.use_checkpoint is True and task.recompute"),
        (
            {"height_px": 36, "pad_to_px": None},
            "36×64 pixels at every level: height and width must be multiples of 8",
        ),
        ({"n_samples": 16001}, "multiple of 40"),
        ({"train_split": "nobody"}, "video_nobody holds no mp4 files"),
    ],
)
def test_bad_settings_are_refused(task, changes, message):
    with pytest.raises(UserError, match=message):
        task(**changes)


def test_losses_on_a_gpu_mix_no_devices(task):
    losses = losses_on_a_made_up_gpu(task())
    assert losses and {value.device.type for value in losses.values()} == {"cuda"}
