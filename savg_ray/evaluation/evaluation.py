"""An evaluation without a runner: what is left to compute, and what has been found out so far.

A runner takes `clip_batches` through `clip_stages` and hands what comes out to `take_clips`; under the official
protocol it then does the same with the batches of windows. Whether it does so in a loop or on a cluster changes
nothing.
"""

import hashlib
import json

import numpy as np

from savg_ray.config import EvaluationConfig
from savg_ray.errors import ClipError
from savg_ray.evaluation.chain import stage_identity
from savg_ray.evaluation.feature_store import FeatureStore, result_key
from savg_ray.evaluation.outcome import ClipOutcome
from savg_ray.evaluation.plan import GENERATED_STAGES, REFERENCE_STAGES, ClipPlan, Plan, WindowBatch
from savg_ray.protocols.clip_form import Role
from savg_ray.stages.batch import Batch, decode, encode, object_column, rows_of
from savg_ray.weights.choose import ResolvedWeights

ClipKey = tuple[Role, str]

_HEADER = "decode"
_WINDOWS = "audio_windows"
_KEPT = (*GENERATED_STAGES, _WINDOWS)


class Evaluation:
    """The state of one run.

    Args:
        plan: which clips and windows.
        config: how they are scored.
        weights: by network name.
        device: ``"cpu"`` or ``"cuda"``, part of what identifies a result.
        store: where results of earlier runs are found, and those of this one kept.
    """

    def __init__(
        self,
        plan: Plan,
        config: EvaluationConfig,
        weights: dict[str, ResolvedWeights],
        device: str,
        store: FeatureStore,
    ) -> None:
        self.plan = plan
        self.config = config
        self._store = store
        self._identities = {
            stage: stage_identity(stage, config, weights, device) for stage in (_HEADER, *GENERATED_STAGES)
        }
        self.outcomes = {clip.key: ClipOutcome(clip, reason=clip.reason, error=clip.error) for clip in plan.clips}
        self._window_features: dict[tuple[Role, int], dict[tuple[ClipKey, int], np.ndarray]] = {}
        self._restore()
        self._sound_is_missing = {
            clip.key
            for number, batch in enumerate(plan.window_batches)
            if (batch.role, number) not in self._window_features
            for clip, _ in batch.members
        }

    def clip_batches(self, size: int) -> list[Batch]:
        """Batches of up to ``size`` clips, of those that still lack a result."""
        left = [outcome for outcome in self.outcomes.values() if outcome.ok and self._todo(outcome)]
        return [self._clip_batch(left[i : i + size]) for i in range(0, len(left), size)]

    def asking_for_scores(self, batch: Batch) -> Batch:
        """A batch of clips that are about to be made, as one that also asks for all their scores."""
        outcomes = [self.outcomes["generated", name] for name in batch["id"]]
        scores = [",".join(self._todo(outcome)) for outcome in outcomes]
        wanted = [f"{making},{scoring}" for making, scoring in zip(batch["todo"], scores, strict=True)]
        return {**self._clip_batch(outcomes), **batch, "todo": object_column(wanted)}

    def take_clips(self, batch: Batch) -> int:
        """Note what the stages found out about a batch of clips; returns how many of them failed.

        Clips that were made on the way bring the digest of their file along, in ``sha256``.
        """
        failed = 0
        for row in rows_of(batch):
            outcome = self.outcomes[row["role"], row["id"]]
            outcome.plan.sha256 = row.get("sha256", outcome.plan.sha256)
            outcome.reason, outcome.error = row["reason"], row["error"]
            outcome.costs_cpu_s = {
                name.removesuffix("_cpu_s"): float(value) for name, value in row.items() if name.endswith("_cpu_s")
            }
            if not outcome.ok:
                failed += 1
                continue
            outcome.n_frames, outcome.fps, outcome.notes = int(row["n_frames"]), float(row["fps"]), row["notes"]
            outcome.results[_HEADER] = encode(outcome.header())
            self._keep(outcome, _HEADER, outcome.results[_HEADER])
            for stage in row["todo"].split(","):
                if stage not in _KEPT:
                    continue
                outcome.results[stage] = row[stage]
                if stage != _WINDOWS:
                    self._keep(outcome, stage, row[stage])
        return failed

    def window_batches(self) -> list[Batch]:
        """Official batches of windows that still lack their features; empty under other protocols."""
        left = []
        for number, batch in enumerate(self.plan.window_batches):
            members = self._members_left(batch)
            if members and (batch.role, number) not in self._window_features:
                sound = np.stack([self._window(clip, window, _WINDOWS) for clip, window in members])
                left.append((batch.role, number, sound))
        return [
            {
                "role": object_column([role]),
                "number": np.array([number]),
                "path": object_column([f"official batch of windows {number} ({role})"]),
                "todo": object_column(["audio_features"]),
                "reason": object_column([""]),
                "error": object_column([""]),
                _WINDOWS: object_column([encode(sound)]),
            }
            for role, number, sound in left
        ]

    def take_windows(self, batch: Batch) -> int:
        """Note the features of official batches of windows; returns how many batches failed.

        A batch that failed (AudioCLIP cannot normalise a batch of one) fails the clips in it.
        """
        failed = 0
        for row in rows_of(batch):
            number = int(row["number"])
            if not row["reason"]:
                self._note_window_features(number, row["audio_features"])
                self._store.add(self._window_batch_key(self.plan.window_batches[number]), row["audio_features"])
                continue
            failed += 1
            for clip, _ in self.plan.window_batches[number].members:
                self.fail(self.outcomes[clip.key], ClipError(row["reason"], f"{clip.path}: {row['error']}"))
        return failed

    def flush(self) -> None:
        """Bring what was computed so far to the store's disk."""
        self._store.flush()

    def good(self, role: Role) -> list[ClipOutcome]:
        """The clips of one folder that were scored."""
        return [outcome for outcome in self.outcomes.values() if outcome.plan.role == role and outcome.ok]

    def failed(self) -> list[ClipOutcome]:
        """The clips of both folders that could not be scored."""
        return [outcome for outcome in self.outcomes.values() if not outcome.ok]

    def features(self, role: Role, network_stage: str) -> tuple[list[str], np.ndarray]:
        """Features (n, D) of one folder and the keys that order them: clip ids, or official places in the draw."""
        if not self.config.official:
            clips = self.good(role)
            rows = [outcome.array(network_stage)[0] for outcome in clips]
            return [outcome.plan.id for outcome in clips], _stacked(rows)
        rows = []
        for number, batch in enumerate(self.plan.window_batches):
            if batch.role != role:
                continue
            for clip, window in self._members_left(batch):
                if network_stage == "video_features":
                    rows.append(self._window(clip, window, network_stage))
                else:
                    rows.append(self._window_features[role, number][clip.key, window])
        rows = rows[: self.config.n_windows]
        return [f"{place:08d}" for place in range(len(rows))], _stacked(rows)

    def fail(self, outcome: ClipOutcome, error: ClipError) -> None:
        """Leave a clip out of every number."""
        outcome.reason, outcome.error = error.reason, error.message

    def _restore(self) -> None:
        names = {
            (outcome.plan.key, stage): self._key(outcome.plan, stage)
            for outcome in self.outcomes.values()
            if outcome.ok
            for stage in (_HEADER, *self._wanted(outcome.plan))
        }
        batch_names = {
            (batch.role, number): self._window_batch_key(batch)
            for number, batch in enumerate(self.plan.window_batches)
        }
        known = self._store.lookup([*names.values(), *batch_names.values()])
        for (clip_key, stage), name in names.items():
            if name in known:
                if stage == _HEADER:
                    self.outcomes[clip_key].take_header(decode(known[name]))
                self.outcomes[clip_key].results[stage] = known[name]
        for (_, number), name in batch_names.items():
            if name in known:
                self._note_window_features(number, known[name])

    def _wanted(self, clip: ClipPlan) -> list[str]:
        """The stages whose results belong to the clip itself."""
        stages = GENERATED_STAGES if clip.role == "generated" else REFERENCE_STAGES
        if not self.config.official:
            return list(stages)
        return [
            stage for stage in stages if stage != "audio_features" and (stage != "video_features" or clip.windows)
        ]

    def _todo(self, outcome: ClipOutcome) -> list[str]:
        wanted = self._wanted(outcome.plan)
        todo = wanted if _HEADER not in outcome.results else [s for s in wanted if s not in outcome.results]
        if outcome.plan.key in self._sound_is_missing:
            todo = [*todo, _WINDOWS]
        return todo

    def _clip_batch(self, outcomes: list[ClipOutcome]) -> Batch:
        clips = [outcome.plan for outcome in outcomes]
        return {
            "role": object_column([clip.role for clip in clips]),
            "id": object_column([clip.id for clip in clips]),
            "path": object_column([str(clip.path) for clip in clips]),
            "todo": object_column([",".join(self._todo(outcome)) for outcome in outcomes]),
            "reason": object_column([""] * len(clips)),
            "error": object_column([""] * len(clips)),
            "windows": object_column([encode(np.array(clip.windows, np.int64)) for clip in clips]),
        }

    def _note_window_features(self, number: int, data: bytes) -> None:
        batch = self.plan.window_batches[number]
        places = [(clip.key, window) for clip, window in self._members_left(batch)]
        self._window_features[batch.role, number] = dict(zip(places, decode(data), strict=True))

    def _members_left(self, batch: WindowBatch) -> list[tuple[ClipPlan, int]]:
        return [(clip, window) for clip, window in batch.members if self.outcomes[clip.key].ok]

    def _window(self, clip: ClipPlan, window: int, stage: str) -> np.ndarray:
        return self.outcomes[clip.key].array(stage)[clip.windows.index(window)]

    def _keep(self, outcome: ClipOutcome, stage: str, data: bytes) -> None:
        self._store.add(self._key(outcome.plan, stage), data)

    def _key(self, clip: ClipPlan, stage: str) -> str:
        identity = dict(self._identities[stage])
        if self.config.official and stage == "video_features":
            identity["windows"] = json.dumps(clip.windows)
        return result_key(clip.sha256, stage, identity)

    def _window_batch_key(self, batch: WindowBatch) -> str:
        members = json.dumps([[clip.sha256, window] for clip, window in self._members_left(batch)])
        return result_key(
            hashlib.sha256(members.encode()).hexdigest(), "audio_features", self._identities["audio_features"]
        )


def _stacked(rows: list[np.ndarray]) -> np.ndarray:
    return np.stack(rows) if rows else np.zeros((0, 0), np.float32)
