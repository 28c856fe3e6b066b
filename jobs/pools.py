"""How many workers each stage gets and what they take; a plan that cannot be scheduled is refused, not hung on."""

from collections.abc import Mapping
from dataclasses import dataclass

from actors.audio_features import AudioFeatures
from actors.base_sampler import BaseSampler
from actors.clip_writer import ClipWriter
from actors.decoder import Decoder
from actors.detector import Detector
from actors.generator import GeneratorActor
from actors.given_reader import GivenReader
from actors.seld import Seld
from actors.stage_actor import StageActor
from actors.super_resolution import SuperResolution
from actors.temporal import Temporal
from actors.video_features import VideoFeatures
from savg_ray.config import Pool
from savg_ray.errors import UserError

ACTORS: dict[str, type[StageActor]] = {
    "given": GivenReader,
    "base": BaseSampler,
    "super_resolution": SuperResolution,
    "generate": GeneratorActor,
    "write": ClipWriter,
    "decode": Decoder,
    "detections": Detector,
    "video_features": VideoFeatures,
    "temporal": Temporal,
    "seld": Seld,
    "audio_features": AudioFeatures,
}

# What has no network works for those on the GPUs: how the CPU cores are divided among such stages.
_CPU_SHARES_BESIDE_GPUS = {"given": 0.2, "decode": 0.2, "temporal": 0.8, "write": 0.2}


@dataclass(frozen=True)
class Resources:
    """What a cluster has."""

    cpus: float
    gpus: float


def plan_pools(
    stages: list[str], resources: Resources, wanted: Mapping[str, Pool] | None, use_gpu: bool
) -> dict[str, Pool]:
    """Workers for each stage: those of the configuration, or else a plan that fills the cluster.

    Args:
        stages: names of the stages of the stream.
        resources: what the cluster has.
        wanted: pools from the configuration, for all stages or some.
        use_gpu: put the networks on GPUs.

    Raises:
        UserError: the pools ask for more than there is, or cannot be packed onto the GPUs.
    """
    automatic = _on_gpus(stages, resources) if use_gpu else _on_cpus(stages, resources)
    pools = {name: (wanted or {}).get(name, automatic[name]) for name in stages}
    check_pools(pools, resources)
    return pools


def check_pools(pools: dict[str, Pool], resources: Resources) -> None:
    """Refuse pools that could never all be placed: Ray would wait for ever.

    Raises:
        UserError: names the shortage and the key to change.
    """
    cpus = sum(pool.size * pool.num_cpus for pool in pools.values())
    if cpus > resources.cpus + 1e-6:
        raise UserError(
            f"The pools ask for {cpus:g} CPUs, but the cluster has {resources.cpus:g}; "
            "lower size or num_cpus in pools."
        )
    shares = sorted(
        (pool.num_gpus for pool in pools.values() for _ in range(pool.size) if pool.num_gpus), reverse=True
    )
    if sum(shares) > resources.gpus + 1e-6:
        raise UserError(
            f"The pools ask for {sum(shares):g} GPUs, but the cluster has {resources.gpus:g}; lower size or num_gpus "
            "in pools."
        )
    free = [1.0] * int(resources.gpus)
    for share in shares:
        fits = [i for i, room in enumerate(free) if room >= share - 1e-6]
        if share > 1 or not fits:
            raise UserError(
                f"A worker that takes {share:g} GPU finds no GPU with that much left; change num_gpus in pools "
                "so that the shares on each GPU add up to at most 1."
            )
        free[fits[0]] -= share


def _on_cpus(stages: list[str], resources: Resources) -> dict[str, Pool]:
    total = sum(ACTORS[name].cpu_share for name in stages)
    sizes = {name: max(1, round(ACTORS[name].cpu_share / total * resources.cpus)) for name in stages}
    each = _fair_share(resources.cpus, sum(sizes.values()))
    return {name: Pool(size=size, num_cpus=each) for name, size in sizes.items()}


def _on_gpus(stages: list[str], resources: Resources) -> dict[str, Pool]:
    # num_cpus=0 for the networks: Ray would otherwise reserve a CPU for each and starve the CPU stages.
    gpus = max(1, int(resources.gpus))
    shares = {name: ACTORS[name].gpu_share for name in stages if ACTORS[name].gpu_share}
    crowd = max(1.0, sum(shares.values()))
    pools = {name: Pool(size=gpus, num_gpus=_rounded_down(share / crowd)) for name, share in shares.items()}
    on_cpus = {name: _CPU_SHARES_BESIDE_GPUS[name] for name in stages if name not in pools}
    total = sum(on_cpus.values())
    sizes = {name: max(1, int(resources.cpus * share / total)) for name, share in on_cpus.items()}
    each = _fair_share(resources.cpus, sum(sizes.values())) if sizes else 0.0
    return pools | {name: Pool(size=size, num_cpus=each) for name, size in sizes.items()}


def _fair_share(cpus: float, workers: int) -> float:
    return min(1.0, _rounded_down(cpus / workers))


def _rounded_down(share: float) -> float:
    # Ray counts in ten-thousandths; rounding down keeps the sum below what there is.
    return int(share * 1000 + 1e-9) / 1000
