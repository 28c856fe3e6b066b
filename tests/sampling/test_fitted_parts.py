import logging
from itertools import chain

import numpy as np
import pytest
import torch

from savg_ray.networks.mm_unet import MMUNet
from savg_ray.networks.sr_unet import SRUNet
from savg_ray.sampling import fitted_parts
from savg_ray.sampling.clip_seeds import ClipSeeds
from savg_ray.sampling.fitted_parts import FittedParts, parts_on
from savg_ray.sampling.joint import JointSampler
from savg_ray.sampling.parts import Parts
from savg_ray.sampling.upsampler import Upsampler
from savg_ray.weights.fill import fill_deterministic
from tests.sampling.tiny import tiny_config

GIB = 2**30


class MadeUpMemory:
    """A call of n rows takes 1 + 2n GiB, and 5 more at its first time; what does not fit is refused."""

    def __init__(self, available_gib, most_rows=10**9):
        self.available_gib, self.most_rows = available_gib, most_rows
        self.sizes = []

    def work(self, part):
        n = part.stop - part.start
        if n > self.most_rows:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.sizes.append(n)
        return list(range(part.start, part.stop))

    def available_bytes(self):
        return int(self.available_gib * GIB)

    def peak_of(self, call):
        done = call()
        n = self.sizes[-1]
        return done, (1 + 2 * n + 5 * (self.sizes.count(n) == 1)) * GIB


def rows_of(parts, memory, n_rows):
    return list(chain.from_iterable(parts.run(memory.work, n_rows)))


def test_the_first_rows_find_out_how_many_fit_and_are_not_computed_twice(caplog):
    memory = MadeUpMemory(available_gib=25)
    parts = FittedParts("frames", 64, memory)
    with caplog.at_level(logging.INFO, "savg_ray"):
        assert rows_of(parts, memory, 30) == list(range(30))
    # 80 % of 25 GiB is 20; 8 rows take 17, 16 would take 33.
    assert memory.sizes == [1, 1, 2, 2, 8, 8, 8]
    (line,) = caplog.messages
    assert line == (
        "8 frames at a time (at most 64): a call takes 1.00 GiB and 2.00 GiB for each, of 25.00 GiB at hand 80 % may "
        "be used"
    )
    assert parts.notes == ""
    assert rows_of(parts, memory, 9) == list(range(9))
    assert memory.sizes[-2:] == [8, 1]


def test_the_measurement_goes_on_from_run_to_run():
    memory = MadeUpMemory(available_gib=10_000)
    parts = FittedParts("clips", 8, memory)
    for _ in range(3):
        assert rows_of(parts, memory, 1) == [0]
    assert parts.rows == 2
    rows_of(parts, memory, 4)
    assert parts.rows == 8


@pytest.mark.parametrize(("most_rows", "sizes"), [(1, [1] * 20), (5, [1, 1, 2, 2, 4, 4, 4, 2])])
def test_memory_that_runs_out_all_the_same_halves_the_parts(most_rows, sizes):
    memory = MadeUpMemory(available_gib=10_000, most_rows=most_rows)
    parts = FittedParts("clips", 8, memory)
    assert rows_of(parts, memory, 20) == list(range(20))
    assert memory.sizes == sizes
    assert "out of memory" in parts.notes


def test_left_over_rows_go_in_powers_of_two_where_every_size_is_compiled():
    memory = MadeUpMemory(available_gib=10_000)
    parts = FittedParts("clips", 8, memory, few_sizes=True)
    assert rows_of(parts, memory, 21) == list(range(21))
    assert memory.sizes == [1, 1, 2, 2, 8, 4, 2, 1]


def test_only_gpus_are_measured_and_a_worker_within_its_share(monkeypatch):
    on_cpu = parts_on(torch.device("cpu"), "clips", on_cpu=1, most=8, memory_share=1.0, few_sizes=False)
    assert type(on_cpu) is Parts
    assert on_cpu.rows == 1
    asked = []
    monkeypatch.setattr(fitted_parts, "GPUMemory", lambda *what: asked.append(what) or MadeUpMemory(0))
    parts = parts_on(torch.device("cuda"), "clips", on_cpu=1, most=8, memory_share=0.25, few_sizes=False)
    assert isinstance(parts, FittedParts)
    assert asked == [(torch.device("cuda"), 0.25)]


class MemoryOfCalls:
    """A roomy memory."""

    def available_bytes(self):
        return 1000 * GIB

    def peak_of(self, call):
        return call(), GIB


def test_clips_and_frames_are_those_of_parts_of_one(tmp_path):
    config = tiny_config(tmp_path, steps=2, n_frames=2, height_px=8, width_px=8, n_samples=400)
    seeds = [ClipSeeds(1, index) for index in range(8)]
    network = fill_deterministic(MMUNet(config.base.shape).eval().requires_grad_(False), 11)
    fitted = FittedParts("clips", 8, MemoryOfCalls())
    made = JointSampler(network, config.base, fitted)(seeds)
    assert fitted.rows == 8
    for one, other in zip(made, JointSampler(network, config.base, Parts(1))(seeds), strict=True):
        np.testing.assert_allclose(one.video, other.video, atol=1e-3)
        np.testing.assert_allclose(one.audio, other.audio, atol=1e-3)
    low_res = np.stack([clip.video for clip in made[:3]])
    upsampler = fill_deterministic(SRUNet(config.super_resolution.shape).eval().requires_grad_(False), 21)
    frames = [
        Upsampler(upsampler, config.super_resolution, parts)(low_res, seeds[:3]).astype(int)
        for parts in (FittedParts("frames", 64, MemoryOfCalls()), Parts(1))
    ]
    assert np.abs(frames[0] - frames[1]).max() <= 1
