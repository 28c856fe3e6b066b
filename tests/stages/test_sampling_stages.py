"""The stages that make a clip: columns, errors, notes, and the disk."""

from pathlib import Path

import numpy as np
import pytest
import torch

from savg_ray import files
from savg_ray.errors import UserError
from savg_ray.files import part_path
from savg_ray.generation import chain
from savg_ray.generation.sampling import Sampling, numbered_clips
from savg_ray.media.reader import read_clip
from savg_ray.sampling.fitted_parts import FittedParts
from savg_ray.sampling.parts import Parts
from savg_ray.sampling.written import origin_of
from savg_ray.stages import diffusion_network
from savg_ray.stages.sequential import run_sequential
from savg_ray.weights.choose import WeightsChoice
from savg_ray.weights.store import WeightStore
from tests.sampling.tiny import TINY, tiny_config


def make(folder, n, config, size=2):
    weights = {
        name: WeightsChoice("filled", WeightStore()).resolve(name) for name in chain.networks(config, "filled")
    }
    stages = chain.diffusion_stages(config, weights, "cpu")
    identity = chain.diffusion_identity(config, weights, "cpu")
    sampling = Sampling(folder, numbered_clips(folder, n, 0, identity), 0, [stage.name for stage in stages])
    return sampling, stages, sampling.batches(size, whole=not config.base.per_clip)


def run(sampling, stages, batches):
    for batch in run_sequential(stages, batches, "cpu"):
        sampling.take(batch)
    sampling.flush()


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted((folder / "clips").glob("*.mp4"))}


def test_clips_come_out_as_files_that_say_what_they_are(tmp_path):
    sampling, stages, batches = make(tmp_path, 3, tiny_config(tmp_path))
    run(sampling, stages, batches)
    assert not sampling.missing
    for clip in sampling.clips.values():
        read = read_clip(clip.path)
        assert read.frames.shape == (4, 64, 64, 3)
        assert read.waveform.shape == (2, 1600)
        origin = origin_of(clip.path)
        assert (origin.identity, origin.nfe) == (clip.identity, clip.nfe)
        assert clip.nfe == 3


def test_without_super_resolution_the_pictures_stay_small(tmp_path):
    config = tiny_config(tmp_path, height_px=32, width_px=32).model_copy(update={"super_resolution": None})
    sampling, stages, batches = make(tmp_path, 1, config)
    run(sampling, stages, batches)
    assert read_clip(sampling.clips["seed0_000000"].path).frames.shape == (4, 32, 32, 3)


def test_only_what_is_missing_or_damaged_is_made_and_bytes_do_not_depend_on_the_batch(tmp_path):
    config = tiny_config(tmp_path)
    for name, size in (("one", 1), ("four", 4)):
        (tmp_path / name).mkdir()
        run(*make(tmp_path / name, 4, config, size))
    first = contents(tmp_path / "one")
    assert first == contents(tmp_path / "four")
    assert len(set(first.values())) == 4
    clips = tmp_path / "one" / "clips"
    (clips / "seed0_000001.mp4").unlink()
    (clips / "seed0_000003.mp4").write_bytes(first["seed0_000003.mp4"][:5000])
    sampling, stages, batches = make(tmp_path / "one", 5, config)
    assert [clip.index for clip in sampling.missing] == [1, 3, 4]
    run(sampling, stages, batches)
    again = contents(tmp_path / "one")
    assert {name: again[name] for name in first} == first
    assert len(again) == 5


def test_clips_of_another_configuration_are_not_mixed_in(tmp_path):
    run(*make(tmp_path, 1, tiny_config(tmp_path)))
    with pytest.raises(UserError, match=r"seed0_000000\.mp4 was made from another configuration"):
        make(tmp_path, 1, tiny_config(tmp_path, steps=4))


def test_memory_that_runs_out_costs_no_clip_and_is_noted(tmp_path, monkeypatch):
    from savg_ray.sampling.upsampler import Upsampler

    honest = Upsampler._ddim

    def greedy(upsampler, low_res, noise):
        if len(low_res) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return honest(upsampler, low_res, noise)

    config = tiny_config(tmp_path)
    monkeypatch.setattr(Upsampler, "_ddim", greedy)
    sampling, stages, batches = make(tmp_path, 1, config)
    run(sampling, stages, batches)
    assert not sampling.failed
    assert "went on with 2" in sampling.clips["seed0_000000"].notes


def test_a_clip_that_cannot_be_made_is_a_row_and_the_others_go_on(tmp_path, monkeypatch):
    from savg_ray.sampling.joint import JointSampler

    honest = JointSampler.__call__

    def moody(sampler, seeds):
        if any(seed.index == 1 for seed in seeds):
            raise RuntimeError("out of luck")
        return honest(sampler, seeds)

    monkeypatch.setattr(JointSampler, "__call__", moody)
    sampling, stages, batches = make(tmp_path, 3, tiny_config(tmp_path))
    run(sampling, stages, batches)
    assert [(clip.index, clip.reason) for clip in sampling.failed] == [(1, "failed")]
    assert "seed0_000001.mp4: base failed (RuntimeError: out of luck)" in sampling.failed[0].error
    assert len(contents(tmp_path)) == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full on this system")
def test_a_full_disk_ends_the_run_and_the_next_one_goes_on(tmp_path, monkeypatch):
    def part_on_a_full_disk(path):
        part = part_path(path)
        if path.stem == "seed0_000001":
            part.symlink_to("/dev/full")
        return part

    config = tiny_config(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(files, "part_path", part_on_a_full_disk)
        with pytest.raises(UserError, match="is full; free space, and the same command goes on"):
            run(*make(tmp_path, 3, config, 1))
    assert list(contents(tmp_path)) == ["seed0_000000.mp4"]
    assert not list(tmp_path.rglob("*.part"))
    sampling, stages, batches = make(tmp_path, 3, config, 1)
    assert len(sampling.missing) == 2
    run(sampling, stages, batches)
    assert len(contents(tmp_path)) == 3


@pytest.mark.parametrize(
    ("base", "words"),
    [
        ({"height_px": 15}, "height and width must be multiples of 2"),
        ({"n_samples": 1602}, "must be a multiple of 4"),
        ({"n_frames": 1}, "a window of 2 frames in clips of 1"),
        ({"network": {**TINY["base"]["network"], "num_head": 4}}, "num_head"),
    ],
)
def test_sizes_that_a_network_cannot_take_are_refused_before_anything_is_loaded(tmp_path, base, words):
    with pytest.raises(UserError, match=words):
        make(tmp_path, 1, tiny_config(tmp_path, **{"height_px": 16, **base}))


def test_nan_from_the_network_fails_the_clip(tmp_path):
    _, stages, batches = make(tmp_path, 1, tiny_config(tmp_path))
    for stage in stages:
        stage.load("cpu")
    with torch.no_grad():
        next(stages[0]._sampler._network.parameters()).fill_(np.nan)
    made = stages[1](stages[0](batches[0]))
    assert stages[2](made)["reason"][0] == "nan_audio"


def test_on_a_gpu_a_given_number_of_clips_goes_together_and_otherwise_what_fits(tmp_path):
    config, gpu = tiny_config(tmp_path), torch.device("cuda")
    for at_a_time, kind in ((3, Parts), (None, FittedParts)):
        _, stages, _ = make(tmp_path, 1, config.model_copy(update={"clips_per_batch": at_a_time}))
        parts = stages[0]._make_parts(gpu)
        assert type(parts) is kind
        assert parts.rows == (at_a_time or 1)
        assert stages[0]._make_parts(torch.device("cpu")).rows == 1


def test_compiling_is_asked_for_by_network_and_is_part_of_what_a_clip_is(tmp_path, monkeypatch):
    compiled = []
    monkeypatch.setattr(
        diffusion_network, "compile_blocks", lambda network, kinds: compiled.append(type(network).__name__)
    )
    plain = tiny_config(tmp_path)
    base = plain.model_copy(update={"base": plain.base.model_copy(update={"compile": True})})
    upsampler = plain.super_resolution.model_copy(update={"compile": True})
    both = base.model_copy(update={"super_resolution": upsampler})
    identities = set()
    for config, expected in ((plain, []), (base, ["MMUNet"]), (both, ["MMUNet", "SRUNet"])):
        _, stages, _ = make(tmp_path, 1, config)
        compiled.clear()
        for stage in stages:
            stage.load("cpu")
        assert compiled == expected
        identities.add(chain.diffusion_identity(config, {}, "cpu"))
    assert len(identities) == 3


def test_recorded_calls_give_the_same_clips_and_leave_half_of_the_memory(tmp_path):
    plain, recorded = tiny_config(tmp_path), tiny_config(tmp_path, cuda_graphs=True)
    assert chain.diffusion_identity(plain, {}, "cuda") == chain.diffusion_identity(recorded, {}, "cuda")
    assert (plain.base.few_sizes, recorded.base.few_sizes) == (False, True)
    assert (plain.base.plain_share, recorded.base.plain_share) == (1.0, 0.5)
