"""Clips for training the diffusion networks: a bright spot on one side, and a tone on the same side."""

import numpy as np

from tests.media.files import write_media

N_FRAMES, SIDE_PX, N_SAMPLES, RATE_HZ = 4, 64, 16000, 16000
SIDES = ("left", "right", "left", "right")


def write_clip(root, split, name, side, n_frames=N_FRAMES, n_samples=N_SAMPLES):
    frames = np.zeros((n_frames, SIDE_PX, SIDE_PX, 3), np.uint8)
    # As in built data: a 16:9 picture between black bars.
    frames[:, 14:50] = 90
    columns = slice(4, 20) if side == "left" else slice(44, 60)
    frames[:, 20:44, columns] = 230
    tone = 0.3 * np.sin(2 * np.pi * 500 * np.arange(n_samples) / RATE_HZ)
    gains = (1.0, 0.1) if side == "left" else (0.1, 1.0)
    video = root / f"video_{split}" / f"{name}.mp4"
    write_media(video, frames, np.stack([gain * tone for gain in gains]), fps=4, rate_hz=RATE_HZ)
    (root / f"metadata_{split}" / f"{name}.csv").write_text("")


def make_data(root):
    for split in ("dev", "eval"):
        (root / f"video_{split}").mkdir()
        (root / f"metadata_{split}").mkdir()
    for i, side in enumerate(SIDES):
        write_clip(root, "dev", f"clip{i}", side)
        write_clip(root, "eval", f"held{i}", side)
    return root
