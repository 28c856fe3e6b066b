"""Who asks the network what: solvers ask for states at labels, and their questions travel in shared calls."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch

from savg_ray.diffusion.states import Modalities, batch_size, checked_prediction, each

NoiseModel = Callable[[Modalities, torch.Tensor], Modalities]
"""``model(x, labels) -> noise``: dict of (b, ...) and int64 (b,) on x's device to a dict of the same shapes."""

Announce = Callable[[Sequence[int], Sequence[int]], None]
"""``announce(rows, calls)``, right before each call of the model, for models that need to know whom they work for.

``rows[j]`` is the row of x_T that row j of the coming call belongs to, ``calls[j]`` how often the model was called
for it before. Draw what is random about a call from these two, and it depends on no batch mate.
"""


class Question(NamedTuple):
    """A state whose noise a solver wants to know, and its label."""

    x: Modalities
    label: int


class Attempt(NamedTuple):
    """One try of the adaptive solver to step in time; accepted where the error is at most 1."""

    from_time: float
    to_time: float
    error: float

    @property
    def accepted(self) -> bool:
        """Whether the step was taken."""
        return self.error <= 1


@dataclass
class Trace:
    """The way of one solver: labels of its questions, and the attempted steps if it is adaptive."""

    labels: list[int] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def nfe(self) -> int:
        """How often the network was asked."""
        return len(self.labels)

    @property
    def accepted_t(self) -> list[float]:
        """Times that were reached."""
        return [attempt.to_time for attempt in self.attempts if attempt.accepted]


@dataclass(frozen=True)
class Solution:
    """What a solver found.

    Attributes:
        sample: float32 tensors, shapes and device as x_T.
        traces: one way for the whole batch, or one for each sample where each went its own.
        per_sample: whether each sample went its own way.
    """

    sample: Modalities
    traces: list[Trace]
    per_sample: bool = False

    @property
    def nfe(self) -> int:
        """Calls of the network for the batch: those of its longest way, because ways share calls."""
        return max(trace.nfe for trace in self.traces)

    @property
    def labels(self) -> list[int] | list[list[int]]:
        """The label of each call; with ``per_sample`` one such list for each sample."""
        return self._each_or_only([trace.labels for trace in self.traces])

    @property
    def accepted_t(self) -> list[float] | list[list[float]]:
        """The times that the adaptive solver reached, up to 0.001; with ``per_sample`` a list for each sample."""
        return self._each_or_only([trace.accepted_t for trace in self.traces])

    def _each_or_only(self, values: list[list]) -> list:
        return values if self.per_sample else values[0]


Questions = Generator[Question, Modalities, Modalities]
"""A solver: yields questions, is sent the noise, and returns the sample."""


@torch.no_grad()
def solve(
    model: NoiseModel,
    x_T: Modalities,
    start: Callable[[Modalities, Trace], Questions],
    *,
    per_sample: bool = False,
    announce: Announce | None = None,
) -> Solution:
    """Run one solver on a batch, or one on each sample, whose questions then share calls of the network.

    A solver on each sample never sees the others: where the network treats rows independently, so does this. Rows
    that are done leave the calls. Solvers compute in float32, whatever the network returns.

    Raises:
        ValueError: x_T without samples, or a model that returns other shapes than it was given.
    """
    n = batch_size(x_T)
    rows = [range(i, i + 1) for i in range(n)] if per_sample else [range(n)]
    traces = [Trace() for _ in rows]
    parts = [each(lambda x, r=r: x[r.start : r.stop].float(), x_T) for r in rows]
    solvers = [start(part, trace) for part, trace in zip(parts, traces, strict=True)]
    samples: dict[int, Modalities] = {}
    questions = {i: next(solver) for i, solver in enumerate(solvers)}
    while questions:
        if announce is not None:
            asked = [(row, traces[i].nfe) for i in questions for row in rows[i]]
            announce([row for row, _ in asked], [call for _, call in asked])
        answers = _answers(model, list(questions.values()))
        pending = {}
        for (i, question), answer in zip(questions.items(), answers, strict=True):
            traces[i].labels.append(question.label)
            try:
                pending[i] = solvers[i].send(answer)
            except StopIteration as done:
                samples[i] = done.value
        questions = pending
    return Solution(each(lambda *x: torch.cat(x), *(samples[i] for i in sorted(samples))), traces, per_sample)


def _answers(model: NoiseModel, questions: list[Question]) -> list[Modalities]:
    sizes = [batch_size(question.x) for question in questions]
    x = each(lambda *parts: torch.cat(parts), *(question.x for question in questions))
    labels = [question.label for question, size in zip(questions, sizes, strict=True) for _ in range(size)]
    device = next(iter(x.values())).device
    noise = checked_prediction(model(x, torch.tensor(labels, device=device)), x)
    split = {name: tensor.split(sizes) for name, tensor in noise.items()}
    return [{name: parts[i] for name, parts in split.items()} for i in range(len(sizes))]
