"""What every metric returns, and what every metric state can do."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Result:
    """One metric's number and what is needed to read it.

    ``value`` is already multiplied by ``scale`` and is None when it is undefined; ``reason`` then says why in one
    sentence. ``n`` counts the clips behind the value, ``ci95`` is a 95 % interval in the value's unit, and
    ``extras`` holds the metric's own by-products (counts, debiased values).
    """

    name: str
    value: float | None
    unit: str
    scale: float
    higher_is_better: bool
    n: int
    ci95: tuple[float, float] | None = None
    reason: str | None = None
    extras: dict[str, float | int | str | None] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready entry of ``metrics.json`` (the name is the entry's key there); extras lie beside the value."""
        return {
            "value": self.value,
            "unit": self.unit,
            "scale": self.scale,
            "higher_is_better": self.higher_is_better,
            "n": self.n,
            "ci95": None if self.ci95 is None else list(self.ci95),
            "reason": self.reason,
            **self.extras,
        }


class Metric(Protocol):
    """A state that workers fill separately and that merges exactly, in any order, even when a clip arrives twice."""

    name: str
    update: Callable[..., None]

    def merge(self, other: Any) -> None:
        """Take over everything that another state of the same kind has seen."""

    def compute(self) -> Result:
        """The metric over all clips seen so far; the state stays usable."""
