"""The base diffusion: small pictures and stereo sound of clips, from their seeds."""

from savg_ray.diffusion import dpm_solver_adaptive, dpm_solver_multistep, dpm_solver_singlestep
from savg_ray.diffusion.network_calls import Solution
from savg_ray.diffusion.states import Modalities
from savg_ray.sampling.clip_sampler import BaseClip, ClipSampler
from savg_ray.sampling.clip_seeds import ClipSeeds

_SINGLESTEP_ORDER = 3


class JointSampler(ClipSampler):
    """Solves the diffusion for several clips at once."""

    def __call__(self, seeds: list[ClipSeeds]) -> list[BaseClip]:
        """The clips of some seeds.

        With ``per_clip`` a clip has its own steps and window shifts and does not depend on the others; without, all
        step as one and share the first one's shifts, as in the official sampler.
        """
        solution = self._solve(self._start(seeds))
        calls = [trace.nfe for trace in solution.traces] if solution.per_sample else [solution.nfe] * len(seeds)
        return self._finished(solution.sample, calls)

    def _solve(self, noise: Modalities) -> Solution:
        config = self._config
        if config.solver == "adaptive":
            return dpm_solver_adaptive(
                self._predict, noise, thresholding=config.thresholding, per_sample=config.per_clip,
                announce=self._announce,
            )  # fmt: skip
        if config.solver == "multistep":
            return dpm_solver_multistep(
                self._predict, noise, config.steps, thresholding=config.thresholding, announce=self._announce
            )
        return dpm_solver_singlestep(
            self._predict, noise, config.steps, _SINGLESTEP_ORDER, "logSNR", announce=self._announce
        )
