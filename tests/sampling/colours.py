"""A generator that is not ours: plain colours and panned tones, from the seed alone."""

import os
from pathlib import Path

import numpy as np


class Colours:
    """Each clip one colour and one tone. With ``fatal`` it kills its process once, at that clip."""

    fps = 4.0
    rate_hz = 16000

    def __init__(self, config):
        self.n_frames = config.pop("n_frames", 9)
        self.fatal, self.marker = config.pop("fatal", None), config.pop("marker", None)
        self.refused = config.pop("refused", None)
        if config:
            raise ValueError(f"unknown keys {sorted(config)}")

    def load(self, device):
        self.device = device

    def sample(self, clip_ids, seeds):
        if self.fatal in clip_ids and not Path(self.marker).exists():
            Path(self.marker).touch()
            os._exit(9)
        if self.refused in clip_ids:
            raise RuntimeError("no colour for this one")
        draws = [np.random.default_rng(seed) for seed in seeds]
        frames = np.stack([np.broadcast_to(d.integers(0, 256, 3), (self.n_frames, 32, 32, 3)) for d in draws])
        t = np.arange(int(self.n_frames / self.fps * self.rate_hz)) / self.rate_hz
        tones = [np.sin(2 * np.pi * d.integers(200, 800) * t) * d.uniform(0.1, 0.5, (2, 1)) for d in draws]
        return frames.astype(np.uint8), np.stack(tones).astype(np.float32)


class Empty:
    """Offers nothing."""

    def __init__(self, config):
        pass
