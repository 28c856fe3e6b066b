"""Every network's stage on a GPU that computes nothing: no step mixes tensors of two devices."""

import numpy as np
import pytest
import torch

from savg_ray.networks import seld, yolox
from savg_ray.sampling.config import ConditionalConfig
from savg_ray.stages.audio_features import AudioFeatureStage, OfficialAudioFeatureStage
from savg_ray.stages.base_sampler import BaseSamplerStage
from savg_ray.stages.batch import encode, object_column
from savg_ray.stages.conditional_sampler import PictureSamplerStage, SoundSamplerStage
from savg_ray.stages.mini_features import AudioMiniStage, VideoMiniStage
from savg_ray.stages.seld import SeldStage
from savg_ray.stages.super_resolution import SuperResolutionStage
from savg_ray.stages.video_features import VideoFeatureStage
from savg_ray.weights.choose import WeightsChoice
from savg_ray.weights.store import WeightStore
from tests.made_up_gpu import made_up_gpu
from tests.sampling.tiny import ADAPTIVE, tiny_config

N_CLIPS = 2
# Operations that compute nothing take their time all the same; bfloat16 is what runs on GPUs.
PRECISIONS = pytest.mark.parametrize("precision", [pytest.param("float32", marks=pytest.mark.slow), "bfloat16"])
ONE_LEVEL = {
    "num_channels": 32,
    "channel_mult": [1],
    "num_res_blocks": 1,
    "cross_attention_resolutions": [1],
    "cross_attention_windows": [2],
    "video_attention_resolutions": [1],
    "num_head_channels": 16,
}


def filled(name):
    return WeightsChoice("filled", WeightStore()).resolve(name)


def asked_rows(**columns):
    text = {
        "id": "a",
        "path": "a.mp4",
        "todo": "base,super_resolution",
        "reason": "",
        "error": "",
        "making_notes": "",
    }
    numbers = {"index": np.arange(N_CLIPS), "seed": np.zeros(N_CLIPS, np.int64)}
    return {**{name: object_column([value] * N_CLIPS) for name, value in text.items()}, **numbers, **columns}


def devices(sampler):
    return {parameter.device.type for parameter in sampler._network.parameters()}


@pytest.mark.parametrize(
    ("solver", "precision"),
    [
        ({}, "bfloat16"),
        pytest.param(ADAPTIVE, "float32", marks=pytest.mark.slow),
        pytest.param({"solver": "singlestep", "thresholding": False}, "bfloat16", marks=pytest.mark.slow),
    ],
)
def test_sampling(tmp_path, solver, precision):
    config = tiny_config(tmp_path, network=ONE_LEVEL, **solver)
    base = BaseSamplerStage(filled("joint"), config.base, precision)
    large = SuperResolutionStage(filled("sr"), config.super_resolution, precision)
    with made_up_gpu():
        base.load("cuda")
        large.load("cuda")
        made = large(base(asked_rows()))
    assert devices(base._sampler) == devices(large._upsampler) == {"cuda"}
    assert list(made["error"]) == [""] * N_CLIPS
    assert made["made_frames"].shape == (N_CLIPS, 4, 64, 64, 3)


def test_what_a_gpu_cannot_record_is_sampled_plainly(tmp_path, caplog):
    """This one cannot record anything; what is recorded is tested with the networks."""
    config = tiny_config(tmp_path, network=ONE_LEVEL, cuda_graphs=True)
    base = BaseSamplerStage(filled("joint"), config.base, "float32", clips_at_a_time=2)
    with made_up_gpu():
        base.load("cuda")
        made = base(asked_rows())
    assert list(made["error"]) == [""] * N_CLIPS
    assert any("cannot be recorded" in message for message in caplog.messages)


@pytest.mark.parametrize(("form", "precision"), [("left_right", "float32"), ("placed", "bfloat16")])
def test_conditional_sampling(tmp_path, precision, form):
    config = tiny_config(tmp_path, network=ONE_LEVEL, sound_form=form).base
    conditional = ConditionalConfig(solver="ddpm", respacing="2", guidance_scale=0, antialias=False)
    sound = SoundSamplerStage(filled("joint"), config, conditional, precision)
    pictures = PictureSamplerStage(filled("joint"), config, conditional, precision)
    given = np.zeros((N_CLIPS, config.n_frames, 3, config.height_px, config.width_px), np.uint8)
    with made_up_gpu():
        sound.load("cuda")
        heard = sound(asked_rows(given_pictures=given))
        pictures.load("cuda")
        seen = pictures(asked_rows(waveform=np.zeros((N_CLIPS, 2, config.n_samples), np.float32)))
    assert list(heard["error"]) == list(seen["error"]) == [""] * N_CLIPS


SCORING = {
    "video_features": (VideoFeatureStage, (False,), (1, 400)),
    "official video_features": (VideoFeatureStage, (True,), (2, 400)),
    "audio_features": (AudioFeatureStage, (), (1, 1024)),
    "official audio_features": (OfficialAudioFeatureStage, (), (2, 1024)),
    "small video_features": (VideoMiniStage, (), (1, 64)),
    "small audio_features": (AudioMiniStage, (), (1, 64)),
    "seld": (SeldStage, (False, seld.SeldConfig()), (None, 3)),
}


@PRECISIONS
@pytest.mark.parametrize("name", SCORING)
def test_scoring(name, precision):
    kind, settings, shape = SCORING[name]
    stage = kind(None, precision, *settings)
    row = {
        "frames": np.zeros((20, 256, 256, 3), np.uint8),
        "n_frames": 20,
        "fps": 4.0,
        "pcm_16k": np.zeros((2, 80000), np.int16),
        "n_16k": 80000,
        "pcm_44k1": np.zeros((2, 220500), np.int16),
        "n_44k1": 220500,
        "windows": encode(np.array([0, 1])),
        "audio_windows": encode(np.zeros((2, 2, 80000), np.int16)),
    }
    with made_up_gpu(), torch.inference_mode():
        stage.network, stage.device = stage.build().eval().to("cuda"), torch.device("cuda")
        results = stage.run([row, row])
    assert len(results) == 2
    for result in results:
        assert result.shape[-1] == shape[-1] and shape[0] in (None, len(result))


@PRECISIONS
def test_detection_up_to_the_choice_of_boxes(precision):
    """Which boxes there are depends on values, which this GPU does not have."""
    with (
        made_up_gpu(),
        torch.inference_mode(),
        torch.autocast("cuda", torch.bfloat16, enabled=precision == "bfloat16"),
    ):
        network = yolox.Yolox(yolox.YoloxConfig()).eval().to("cuda")
        outputs = network.head_outputs(torch.zeros(2, 3, 256, 256).to("cuda"))
        stride, corner = yolox.grid_cells(outputs)
        boxes = yolox.cell_boxes(torch.cat([one.reg.flatten(2) for one in outputs], 2).mT.float(), stride, corner)
    assert boxes.device.type == "cuda" and boxes.shape == (2, 32**2 + 16**2 + 8**2, 4)
