import numpy as np
import pytest
import torch

from savg_ray.diffusion import audio_for_video, diffusion_tables, video_for_audio
from savg_ray.diffusion.conditional import conditional_states
from tests.diffusion.goldens import MODALITIES, MixtureDenoiser, assert_close, golden, modalities, step_noise

ATOL = 1e-4
CASES = [
    ("v2a_replace", "video", audio_for_video),
    ("v2a_guided", "video", audio_for_video),
    ("a2v_guided", "audio", video_for_audio),
]


@pytest.mark.parametrize(("name", "given", "sample"), CASES)
def test_golden_conditional_sampling(name, given, sample):
    arrays = golden(name)
    model, x_T, noise = MixtureDenoiser(arrays), modalities(arrays, "xT_"), step_noise(name, arrays)
    known, scale = torch.from_numpy(arrays["cond"]), float(arrays["class_scale"])
    states = list(conditional_states(model, {given: known}, x_T, diffusion_tables(1000, "10"), noise, scale))
    assert_close(states[0], arrays, "traj0_", ATOL)
    assert_close(states[1], arrays, "traj1_", ATOL)
    assert_close(states[-1], arrays, "final_", ATOL)
    np.testing.assert_allclose(torch.stack([x["audio"] for x in states]), arrays["traj_audio_all"], atol=ATOL)
    found = sample(model, known, x_T, 1000, "10", noise, guidance_scale=scale)
    assert all(torch.equal(found[m], states[-1][m]) and not found[m].requires_grad for m in MODALITIES)


def test_guidance_is_seen():
    arrays = golden("v2a_guided")
    model, x_T, noise = MixtureDenoiser(arrays), modalities(arrays, "xT_"), step_noise("v2a_guided", arrays)
    known = torch.from_numpy(arrays["cond"])
    states = [
        audio_for_video(model, known, x_T, 1000, "10", noise, guidance_scale=s)["audio"]
        for s in (1e-9, float(arrays["class_scale"]))
    ]
    effect = float((states[1] - states[0]).abs().max())
    assert effect == pytest.approx(float(arrays["effect_of_guidance_maxabs"]), rel=0.02)


def test_the_given_video_decides_the_sound():
    """Two patterns far apart: the sound that comes out is that of the pattern whose video was given."""
    generator = torch.Generator().manual_seed(3)
    arrays = golden("v2a_replace")
    patterns = {"mv": np.sign(arrays["mv"][:2]), "ma": 0.5 * np.sign(arrays["ma"][:2]), "sv": 0.1, "sa": 0.1}
    x_T = {name: torch.randn(x.shape, generator=generator) for name, x in modalities(arrays, "xT_").items()}
    noise = [{name: torch.randn(x.shape, generator=generator) for name, x in x_T.items()} for _ in range(49)]
    video = torch.from_numpy(patterns["mv"][[1, 0]]).float()
    sound = audio_for_video(MixtureDenoiser(patterns), video, x_T, 1000, "50", noise)["audio"]
    wanted = torch.from_numpy(patterns["ma"][[1, 0]]).float()
    assert (
        float((sound - wanted).square().mean().sqrt()) < 0.15 < float((sound - wanted.flip(0)).square().mean().sqrt())
    )


@pytest.mark.parametrize("scale", [0.0, 20.0])
def test_without_new_noise_the_given_video_decides_the_sound_as_well(scale):
    arrays = golden("v2a_replace")
    patterns = {"mv": np.sign(arrays["mv"][:2]), "ma": 0.5 * np.sign(arrays["ma"][:2]), "sv": 0.1, "sa": 0.1}
    video, x_T = torch.from_numpy(patterns["mv"][[1, 0]]).float(), modalities(arrays, "xT_")
    arguments = MixtureDenoiser(patterns), {"video": video}, x_T, diffusion_tables(1000, "50"), []
    states = list(conditional_states(*arguments, scale, deterministic=True))
    wanted = torch.from_numpy(patterns["ma"][[1, 0]]).float()
    assert float((states[-1]["audio"] - wanted).square().mean().sqrt()) < 0.15
    again = list(conditional_states(*arguments, scale, deterministic=True))
    assert torch.equal(states[-1]["audio"], again[-1]["audio"])


def test_guidance_works_in_inference_mode():
    arrays = golden("v2a_guided")
    noise, scale, model = step_noise("v2a_guided", arrays), float(arrays["class_scale"]), MixtureDenoiser(arrays)
    with torch.inference_mode():
        x_T, known = ({k: v + 0 for k, v in modalities(arrays, "xT_").items()}, torch.from_numpy(arrays["cond"]) + 0)
        found = audio_for_video(model, known, x_T, 1000, "10", noise, guidance_scale=scale)
    assert_close(found, arrays, "final_", ATOL)


def test_a_video_of_another_shape_is_named():
    x_T = {"video": torch.zeros(1, 2, 3, 4, 4), "audio": torch.zeros(1, 2, 8)}
    with pytest.raises(ValueError, match=r"the given video \(1, 2, 3, 8, 8\)"):
        audio_for_video(lambda x, t: x, torch.zeros(1, 2, 3, 8, 8), x_T, 100, "5", lambda i: x_T)
