import inspect

import pytest
import torch

from savg_ray import compat
from tests.toys import check_manifest, golden_json


@pytest.mark.parametrize(
    ("build", "manifest"),
    [
        (compat.build_i3d, "i3d_manifest.json.gz"),
        (compat.build_audioclip_audio, "audioclip_audio_manifest.json.gz"),
        (compat.build_seld, "seld_manifest.json.gz"),
        (compat.build_yolox_tiny, "yolox_manifest.json.gz"),
    ],
)
def test_official_state_dicts_fit(build, manifest):
    network = build()
    check_manifest(network, golden_json(manifest))
    assert not network.training
    assert all(p.dtype == torch.float32 for p in network.parameters())


def test_the_filler_has_the_agreed_signature():
    assert list(inspect.signature(compat.fill_deterministic).parameters) == ["module", "salt", "gain", "exceptions"]


def test_the_whole_audioclip_checkpoint_holds_the_audio_tower():
    whole = golden_json("audioclip_full_manifest.json.gz")
    tower = {key: entry for key, entry in whole.items() if key.startswith("audio.")}
    check_manifest(compat.build_audioclip_audio(), tower)
