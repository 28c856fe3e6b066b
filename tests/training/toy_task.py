"""A task that learns a line from points: training in a moment."""

import os
from pathlib import Path

import numpy as np
import torch
from torch import nn

from savg_ray.training.draws import batch_noise, draws_of


class LineTask:
    name = "joint"
    export_name = "line.safetensors"
    best = ("error", False)

    def __init__(self, n=10, nan_at=None, norm=False, dropout=0.0, dies_at=None, grave=None):
        """``dies_at``: the position at which the process that computes it is killed, once; ``grave`` notes it."""
        self.n, self.nan_at, self.norm, self.dropout = n, nan_at, norm, dropout
        self.dies_at, self.grave = dies_at, grave

    def build(self):
        return nn.Sequential(
            nn.Linear(2, 8), nn.BatchNorm1d(8) if self.norm else nn.ReLU(), nn.Dropout(self.dropout), nn.Linear(8, 1)
        )

    def __len__(self):
        return self.n

    def item_name(self, index):
        return f"item{index}"

    def example(self, index, draw):
        x = draw.generator("x").standard_normal(2).astype(np.float32) + index / 10
        y = np.float32([np.nan if index == self.nan_at else 3 * x[0] - 2 * x[1] + 1])
        return {"x": x, "y": y}

    def loss(self, network, batch):
        if self.dies_at in batch["draw"][:, 1].tolist() and not Path(self.grave).exists():
            Path(self.grave).touch()
            os._exit(1)
        noise = batch_noise(draws_of(batch["draw"]), "noise", (1,), batch["y"].device)
        loss = (network(batch["x"]) - batch["y"] - 0.01 * noise).square().mean()
        return {"loss": loss, "twice": 2 * loss}

    @torch.no_grad()
    def validate(self, network, folder):
        x = torch.linspace(-1, 1, 20).reshape(10, 2)
        (folder / "seen.txt").write_text("kept")
        return {"error": float((network(x)[:, 0] - (3 * x[:, 0] - 2 * x[:, 1] + 1)).square().mean())}

    def export(self, state):
        return state
