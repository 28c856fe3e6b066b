import pytest

from jobs.pools import ACTORS, Resources, check_pools, plan_pools
from savg_ray.config import Pool
from savg_ray.errors import UserError

STAGES = ["decode", "detections", "video_features", "temporal", "seld", "audio_features"]
SAMPLING = ["base", "super_resolution", "write"]


@pytest.mark.parametrize("cpus", [1, 2, 3, 8, 64])
def test_a_plan_for_cpus_fits_and_has_a_worker_for_each_stage(cpus):
    pools = plan_pools(STAGES, Resources(cpus=cpus, gpus=0), None, use_gpu=False)
    assert set(pools) == set(STAGES)
    assert sum(pool.size * pool.num_cpus for pool in pools.values()) <= cpus
    assert all(pool.num_gpus == 0 and pool.num_cpus > 0 for pool in pools.values())


def test_many_cpus_go_where_the_work_is():
    pools = plan_pools(STAGES, Resources(cpus=64, gpus=0), None, use_gpu=False)
    assert pools["detections"].size > 10
    assert pools["decode"].size < 4


@pytest.mark.parametrize("gpus", [1, 8])
def test_on_gpus_every_network_has_a_share_of_each_and_takes_no_cpu(gpus):
    pools = plan_pools(STAGES, Resources(cpus=16, gpus=gpus), None, use_gpu=True)
    networks = [pool for pool in pools.values() if pool.num_gpus]
    assert len(networks) == 4
    assert all(pool.size == gpus and pool.num_cpus == 0 for pool in networks)
    assert sum(pool.num_gpus for pool in networks) == 1.0
    assert pools["temporal"].num_cpus > 0
    assert sum(pool.size * pool.num_cpus for pool in pools.values()) <= 16


def test_sampling_and_scoring_share_each_gpu():
    pools = plan_pools([*SAMPLING, *STAGES], Resources(cpus=16, gpus=2), None, use_gpu=True)
    shares = {name: pool.num_gpus for name, pool in pools.items() if pool.num_gpus}
    assert len(shares) == 6
    assert 0.99 < sum(shares.values()) <= 1.0
    assert max(shares, key=shares.get) == "super_resolution"
    assert {name for name in pools if name not in shares} == {"write", "decode", "temporal"}
    check_pools(pools, Resources(cpus=16, gpus=2))


def test_every_actor_can_be_planned_for():
    for name in ACTORS:
        for use_gpu in (False, True):
            assert plan_pools([name], Resources(cpus=2, gpus=1), None, use_gpu)[name].size >= 1


def test_configured_pools_replace_planned_ones():
    pools = plan_pools(STAGES, Resources(2, 0), {"seld": Pool(size=2, num_cpus=0.1)}, use_gpu=False)
    assert pools["seld"] == Pool(size=2, num_cpus=0.1)


@pytest.mark.parametrize(
    ("pools", "words"),
    [
        ({"seld": Pool(size=3, num_cpus=1)}, "3 CPUs, but the cluster has 2"),
        ({"seld": Pool(size=3, num_gpus=1)}, "3 GPUs, but the cluster has 2"),
        ({"seld": Pool(size=3, num_gpus=0.6)}, "finds no GPU with that much left"),
        ({"seld": Pool(size=1, num_gpus=1.5)}, "finds no GPU with that much left"),
    ],
)
def test_plans_that_could_never_be_scheduled_are_refused(pools, words):
    with pytest.raises(UserError, match=words):
        check_pools(pools, Resources(cpus=2, gpus=2))


def test_shares_may_fill_a_gpu():
    check_pools({"seld": Pool(size=4, num_gpus=0.5)}, Resources(cpus=2, gpus=2))
