from functools import cache

import numpy as np
import pytest
import torch

from savg_ray.diffusion import audio_for_video, video_for_audio
from savg_ray.errors import UserError
from savg_ray.networks.mm_unet import MMUNet
from savg_ray.sampling.clip_seeds import ClipSeeds
from savg_ray.sampling.conditional import ConditionalSampler
from savg_ray.sampling.config import load_sampling_config
from savg_ray.sampling.parts import Parts
from savg_ray.sampling.sound_form import diffusion_sound
from savg_ray.spatial.place_map import drawn_places
from savg_ray.weights.fill import fill_deterministic
from tests.sampling.tiny import tiny_config

SEEDS = [ClipSeeds(1, index) for index in range(2)]
SMALL = {"n_frames": 2, "height_px": 8, "width_px": 8, "n_samples": 400}
PLACED = {"sound_form": "placed", "sound_gain": 2.0, "place_gain": 0.05, "predicts": "clean", "thresholding": False}
RANDOM = np.random.default_rng(0)
PICTURES = RANDOM.integers(0, 256, (2, 2, 3, 8, 8), np.uint8)
STEREO = RANDOM.uniform(-0.4, 0.4, (2, 2, 400)).astype(np.float32)


@cache
def filled(shape):
    return fill_deterministic(MMUNet(shape).eval().requires_grad_(False), 11)


@pytest.fixture
def made(tmp_path):
    """A sampler around a network, the filled one by default."""

    def make(guidance_scale=0.0, respacing="2", network=None, solver="ddpm", **base):
        config = tiny_config(tmp_path, **{**SMALL, **base})
        network = network or filled(config.base.shape)
        conditional = config.conditional.model_copy(
            update={"guidance_scale": guidance_scale, "respacing": respacing, "solver": solver}
        )
        return ConditionalSampler(network, config.base, conditional, Parts(1))

    return make


def halves(sampler, pictures=PICTURES, stereo=STEREO, seeds=SEEDS):
    """What both directions make of what is given: sounds, and pictures."""
    sounds = [clip.audio for clip in sampler.sound_for(pictures, seeds)]
    return sounds, [clip.video for clip in sampler.pictures_for(stereo, seeds)]


def same(one, other):
    return all(np.array_equal(a, b) for half in zip(one, other, strict=True) for a, b in zip(*half, strict=True))


@pytest.mark.parametrize("scale", [0.0, 40.0])
def test_it_is_the_official_algorithm_with_the_clip_s_own_noise(made, scale):
    sampler, one = made(scale), SEEDS[1]
    calls = []

    def announce(rows, numbers):
        calls[:] = numbers

    def model(x, labels):
        video, audio = sampler._network(
            x["video"], x["audio"], labels, torch.from_numpy(one.shifts(calls[0], sampler._network.shift_ranges))
        )
        return {"video": video, "audio": audio}

    def noise(purposes, counter=0):
        shapes = {"video": (2, 3, 8, 8), "audio": (2, 400)}
        drawn = zip(shapes.items(), purposes, strict=True)
        return {name: torch.from_numpy(one.noise(purpose, shape, counter))[None] for (name, shape), purpose in drawn}

    video, audio = torch.from_numpy(PICTURES[1:]).float() / 127.5 - 1, torch.from_numpy(STEREO[1:])
    arguments = (noise(("video", "audio")), 1000, "2", lambda number: noise(("video_step", "audio_step"), number))
    options = {"guidance_scale": scale, "announce": announce}
    sound = audio_for_video(model, video, *arguments, **options)["audio"]
    pictures = video_for_audio(model, audio, *arguments, **options)["video"]
    assert same(halves(sampler, PICTURES[1:], STEREO[1:], [one]), (sound.numpy(), pictures.numpy()))


@pytest.mark.parametrize(("scale", "form"), [(0.0, {}), (40.0, PLACED)])
def test_a_clip_is_the_same_alone_and_in_any_batch_and_order(made, scale, form):
    sampler = made(scale, **form)
    together = halves(sampler)
    alone = halves(sampler, PICTURES[1:], STEREO[1:], SEEDS[1:])
    assert same([half[1:] for half in together], alone)
    back = sampler.sound_for(PICTURES[::-1].copy(), SEEDS[::-1])
    assert all(np.array_equal(one, other.audio) for one, other in zip(together[0], back[::-1], strict=True))
    assert not np.array_equal(*together[0]) and not np.array_equal(*together[1])


def test_guidance_steps_and_what_is_given_all_count(made):
    given = PICTURES[:1], STEREO[:1], SEEDS[:1]
    plain = halves(made(), *given)
    for other in (
        halves(made(40.0), *given),
        halves(made(respacing="3"), *given),
        halves(made(), 255 - PICTURES[:1], -STEREO[:1], SEEDS[:1]),
        halves(made(), *given[:2], [ClipSeeds(2, 0)]),
    ):
        assert not any(np.array_equal(half, others) for half, others in zip(plain, other, strict=True))


@pytest.mark.parametrize("scale", [0.0, 40.0])
def test_ddim_draws_no_noise_on_the_way(made, monkeypatch, scale):
    given = PICTURES[:1], STEREO[:1], SEEDS[:1]
    ancestral = halves(made(scale), *given)
    drawn, honest = [], ClipSeeds.noise
    monkeypatch.setattr(ClipSeeds, "noise", lambda *a: drawn.append(a[1]) or honest(*a))
    found = halves(made(scale, solver="ddim"), *given)
    assert set(drawn) == {"video", "audio"}
    assert not any(np.array_equal(*pair) for pair in zip(ancestral, found, strict=True))


def test_a_clip_tells_how_often_the_network_was_asked(made):
    network = Asked(torch.zeros(1, 2, 3, 8, 8), torch.zeros(1, 2, 400))
    assert made(respacing="4", network=network).sound_for(PICTURES, SEEDS)[1].nfe == 4
    assert made(40.0, respacing="2,1", network=network).pictures_for(STEREO, SEEDS)[1].nfe == 3


class Asked(torch.nn.Linear):
    """Puts out one clean clip, and keeps what it was asked last."""

    shift_ranges = ()

    def __init__(self, video, audio):
        super().__init__(1, 1)
        self.clean = video, audio

    def forward(self, video, audio, labels, shifts):
        self.last = video.detach(), audio.detach()
        # It depends on both, so that there are gradients.
        nothing = 0 * (video.mean() + audio.mean())
        return self.clean[0] + nothing, self.clean[1] + nothing


@pytest.mark.parametrize("scale", [0.0, 3.0])
def test_the_place_of_a_sound_is_known_with_it_and_unknown_with_the_pictures(made, scale):
    """At the last step hardly any noise lies over what is known; the rest is what the network makes of it."""
    form = {**PLACED, "width_px": 32}
    pictures = np.repeat(PICTURES, 4, axis=4)
    places = torch.from_numpy(drawn_places(np.full(2, 0.5), 32))
    clean = torch.zeros(1, 2, 4, 8, 32)
    clean[:, :, 3] = places[:, None]
    network = Asked(clean, torch.full((1, 1, 400), 0.8))
    sampler = made(scale, respacing="100", network=network, **form)

    clip = sampler.sound_for(pictures[:1], SEEDS[:1])[0]
    seen, _ = network.last
    np.testing.assert_allclose(seen[0, :, :3], pictures[0] / 127.5 - 1, atol=0.06)
    left, right = clip.audio.mean(axis=1)
    assert left == pytest.approx(0.6, abs=0.03) and right == pytest.approx(0.2, abs=0.03)

    clip = sampler.pictures_for(STEREO[:1], SEEDS[:1])[0]
    seen, heard = network.last
    sound, drawn = diffusion_sound(STEREO[0], sampler._config)
    np.testing.assert_allclose(heard[0], sound, atol=0.06)
    np.testing.assert_allclose(seen[0, :, 3].mean(dim=1), 0.05 * drawn, atol=0.03)
    assert np.abs(clip.video).max() < 0.06


def test_loud_sound_is_limited_only_where_the_configuration_says_so(made):
    network = Asked(torch.zeros(1, 2, 3, 8, 8), torch.full((1, 2, 400), 1.5))
    for thresholding, loudest in ((True, 1.0), (False, 1.5)):
        sampler = made(network=network, predicts="clean", thresholding=thresholding)
        assert sampler.sound_for(PICTURES[:1], SEEDS[:1])[0].audio.max() == pytest.approx(loudest, abs=0.01)


@pytest.mark.parametrize("preset", ["savg", "fast", "laptop", "savgbench-official"])
def test_the_settings_decide_nothing_about_clips_made_from_nothing(preset):
    config = load_sampling_config(preset)
    assert "conditional" not in config.content
    for wanted in ("sound", "pictures"):
        content = config.conditional_content(wanted)
        assert content["conditional"] == {"wanted": wanted, **config.conditional.model_dump()}
        assert "solver" not in content["base"] and "steps" not in content["base"]


def test_official_settings_take_all_steps_and_replace():
    conditional = load_sampling_config("savgbench-official").conditional
    assert conditional.model_dump() == {
        "solver": "ddpm", "respacing": "", "guidance_scale": 0, "antialias": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("respacing: 1001", "asks for 1001 of the 1000 steps"),
        ("respacing: many", "must be"),
        ("guidance_scale: -1", "guidance_scale"),
        ("steps: 20", "unknown key 'conditional.steps'"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(tmp_path, text, words):
    (tmp_path / "bad.yaml").write_text(f"conditional: {{{text}}}\n")
    with pytest.raises(UserError, match=words):
        load_sampling_config("savg", tmp_path / "bad.yaml")
