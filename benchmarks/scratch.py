"""What every measurement starts from: clips made on the spot, filled weights, and an evaluation that lacks it all."""

from dataclasses import dataclass
from pathlib import Path

from savg_ray.config import EvaluationConfig, load_config
from savg_ray.evaluation.chain import networks
from savg_ray.evaluation.evaluation import Evaluation
from savg_ray.evaluation.feature_store import FeatureStore
from savg_ray.evaluation.plan import plan_official, plan_whole
from savg_ray.media.writer import write_clip
from savg_ray.scenes.walker import walker_clip
from savg_ray.weights.choose import ResolvedWeights, WeightsChoice
from savg_ray.weights.store import WeightStore

_REFERENCE_SEED = 100_000


@dataclass(frozen=True)
class Scratch:
    """Two folders of walker clips below a temporary folder."""

    root: Path

    @property
    def generated(self) -> Path:
        """Folder of the generated clips."""
        return self.root / "generated"

    @property
    def reference(self) -> Path:
        """Folder of the reference clips."""
        return self.root / "reference"

    def make_clips(self, n_generated: int, n_reference: int) -> None:
        """Write clips in the official form; the same numbers give the same files."""
        for folder, first_seed, count in (
            (self.generated, 0, n_generated),
            (self.reference, _REFERENCE_SEED, n_reference),
        ):
            folder.mkdir(parents=True, exist_ok=True)
            for i in range(count):
                path = folder / f"clip_{i:04d}.mp4"
                write_clip(path, walker_clip(path.stem, first_seed + i), audio_codec="mp3")

    def evaluation(self, config: EvaluationConfig, name: str) -> Evaluation:
        """An evaluation of the two folders with an empty feature store of its own."""
        plan = (
            plan_official(self.generated, self.reference, config.n_windows, config.decode_deadline_s)
            if config.official
            else plan_whole(self.generated, self.reference)
        )
        return Evaluation(plan, config, filled_weights(), "cpu", FeatureStore(self.root / "features" / name))


def filled_weights() -> dict[str, ResolvedWeights]:
    """Deterministic weights for the official networks: costs are the same, numbers carry no meaning."""
    choice = WeightsChoice("filled", WeightStore())
    return {name: choice.resolve(name) for name in networks(load_config("savg")).values()}


def preset(name: str, n_windows: int) -> EvaluationConfig:
    """A preset; the official one with ``n_windows`` windows of each folder instead of 96."""
    config = load_config(name)
    return config.model_copy(update={"n_windows": n_windows}) if config.official else config
