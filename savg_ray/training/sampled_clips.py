"""Clips sampled with a network in training, scored against held-out ones by the project's evaluation."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import Field
from safetensors.torch import save_file
from torch import nn

from savg_ray.config import EvaluationConfig, load_config
from savg_ray.errors import UserError
from savg_ray.evaluation.chain import clip_stages, networks
from savg_ray.evaluation.evaluation import Evaluation
from savg_ray.evaluation.feature_store import FeatureStore
from savg_ray.evaluation.plan import ClipPlan, Plan
from savg_ray.evaluation.scores import score
from savg_ray.files import file_sha256
from savg_ray.generation import chain as generation
from savg_ray.generation.sampling import Sampling, numbered_clips
from savg_ray.sampling.config import BaseConfig, BaseModelConfig, SamplingConfig, load_sampling_config
from savg_ray.stages.sequential import run_sequential
from savg_ray.training.clip_dataset import spread
from savg_ray.training.config import Section
from savg_ray.weights.choose import ResolvedWeights, WeightsChoice
from savg_ray.weights.store import WeightStore, default_root

_SEED = 0
_CLIPS_PER_BATCH = {"cpu": 1, "cuda": 8}


class SampledClips(Section):
    """Which clips a validation samples, and how it scores them.

    Attributes:
        clips: how many; the same seeds in every validation.
        sampling: preset that gives the solver.
        upsampled: whether that preset's upsampler, with its weights, enlarges the pictures; otherwise the evaluation
            does so by interpolation.
        evaluation: preset that scores; with its weights.
        reference_clips: held-out clips that they are compared with, spread over all.
    """

    clips: int = Field(default=16, ge=2)
    sampling: str = "savg"
    upsampled: bool = False
    evaluation: str = "savg"
    reference_clips: int = Field(default=200, ge=2)


@dataclass(frozen=True)
class ClipScoring:
    """Samples and scores clips; made by `clip_scoring`."""

    sampling: SamplingConfig
    evaluation: EvaluationConfig
    upsampler: dict[str, ResolvedWeights]
    scorers: dict[str, ResolvedWeights]
    n_clips: int
    reference: tuple[Path, ...]

    def __call__(self, network: nn.Module, folder: Path) -> dict[str, float]:
        """The metrics that are defined, and ``failed_clips``; clips go to ``folder/clips``.

        Features of held-out clips are kept beside ``folder`` for later validations.
        """
        device = next(network.parameters()).device.type
        n_threads = torch.get_num_threads()
        try:
            made = self._sampled(network, folder, device)
            return self._scored(made, folder, device)
        finally:
            # The runner keeps to one thread; training goes on with its own number.
            torch.set_num_threads(n_threads)

    def _sampled(self, network: nn.Module, folder: Path, device: str) -> Sampling:
        config = self.sampling
        with tempfile.TemporaryDirectory() as weights_folder:
            path = Path(weights_folder) / "joint.safetensors"
            state = network.state_dict()
            save_file({key: tensor.cpu().contiguous() for key, tensor in state.items()}, path)
            in_training = ResolvedWeights("joint", "in training", file_sha256(path), path)
            weights = {"joint": in_training, **self.upsampler}
            stages = generation.diffusion_stages(config, weights, device)
            identity = generation.diffusion_identity(config, weights, device)
            clips = numbered_clips(folder, self.n_clips, _SEED, identity)
            sampling = Sampling(folder, clips, _SEED, [stage.name for stage in stages])
            size = config.clips_per_batch or _CLIPS_PER_BATCH[device]
            batches = sampling.batches(size, whole=not config.base.per_clip)
            for batch in run_sequential(stages, batches, device):
                sampling.take(batch)
        sampling.flush()
        return sampling

    def _scored(self, made: Sampling, folder: Path, device: str) -> dict[str, float]:
        generated = [ClipPlan(clip.id, clip.path, "generated", clip.sha256) for clip in made.clips.values()]
        generated = [clip for clip in generated if clip.sha256]
        reference = [ClipPlan(path.name, path, "reference", file_sha256(path)) for path in self.reference]
        store = FeatureStore(folder.parent / "features")
        evaluation = Evaluation(Plan([*generated, *reference]), self.evaluation, self.scorers, device, store)
        batches = evaluation.clip_batches(self.evaluation.clips_per_batch or _CLIPS_PER_BATCH[device])
        for batch in run_sequential(clip_stages(self.evaluation, self.scorers), batches, device):
            evaluation.take_clips(batch)
        evaluation.flush()
        found = {name: result.value for name, result in score(evaluation).items()}
        n_failed = len(evaluation.failed()) + len(made.failed)
        return {
            **{name: value for name, value in found.items() if value is not None},
            "failed_clips": float(n_failed),
        }


def clip_scoring(settings: SampledClips, model: BaseModelConfig, held_out: list[Path]) -> ClipScoring:
    """What samples and scores clips of a model in training.

    Args:
        settings: see there.
        model: what the network in training is a model of.
        held_out: videos to compare with; some of them are taken.

    Raises:
        UserError: an unknown preset, weights that are not there, or an evaluation that cannot be used here.
    """
    sampling, evaluation = load_sampling_config(settings.sampling), load_config(settings.evaluation)
    if evaluation.official:
        raise UserError(
            f"task.samples.evaluation {settings.evaluation} scores windows of whole folders; use savg or laptop."
        )
    own = {name: getattr(model, name) for name in BaseModelConfig.model_fields}
    base = BaseConfig(**{**sampling.base.model_dump(), **own})
    upsampler = sampling.super_resolution if settings.upsampled else None
    sampling = sampling.model_copy(update={"base": base, "super_resolution": upsampler})
    store = WeightStore(default_root())
    names = generation.networks(sampling, sampling.weights)
    choice = WeightsChoice(sampling.weights, store)
    scorers = WeightsChoice(evaluation.weights, store)
    return ClipScoring(
        sampling,
        evaluation,
        {role: choice.resolve(name) for role, name in names.items() if role != "joint"},
        {name: scorers.resolve(name) for name in networks(evaluation).values()},
        settings.clips,
        tuple(spread(held_out, settings.reference_clips)),
    )
