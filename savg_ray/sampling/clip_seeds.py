"""Randomness that belongs to a clip: the same whatever the device, the batch, the worker or the order."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Purpose = Literal["video", "audio", "video_step", "audio_step", "shifts", "super_resolution"]


@dataclass(frozen=True)
class ClipSeeds:
    """All random numbers of one clip, from counters (Philox) under a key of its own for each purpose.

    Attributes:
        seed: of the run.
        index: number of the clip within it.
    """

    seed: int
    index: int

    def noise(self, purpose: Purpose, shape: Sequence[int], counter: int = 0) -> np.ndarray:
        """Standard normal float32 of a shape; ``counter`` tells apart what is drawn again and again."""
        return self._generator(purpose, counter).standard_normal(tuple(shape), np.float32)

    def shifts(self, call: int, upper_bounds: Sequence[int]) -> np.ndarray:
        """The window shifts of one call of the network: int64, each from 0 to its inclusive bound."""
        return self._generator("shifts", call).integers(0, np.asarray(upper_bounds, np.int64) + 1)

    def number(self) -> int:
        """One non-negative 63-bit seed, for generators that draw their own noise."""
        return int.from_bytes(self._digest("generator")[:8], "little") >> 1

    def _generator(self, purpose: str, counter: int = 0) -> np.random.Generator:
        key = np.frombuffer(self._digest(purpose)[:16], np.uint64)
        # The highest word counts calls: a call would have to draw 2^192 blocks to reach the next one's numbers.
        return np.random.Generator(np.random.Philox(key=key, counter=[0, 0, 0, counter]))

    def _digest(self, purpose: str) -> bytes:
        return hashlib.sha256(f"{self.seed}/{self.index}/{purpose}".encode()).digest()
