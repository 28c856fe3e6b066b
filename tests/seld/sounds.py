"""Sounds behind the golden SELD numbers."""

from pathlib import Path

import numpy as np

from tests.samples import joint_sample
from tests.toys import golden_json, toy_audio

GOLDEN = golden_json("seld.json")


def golden_sound(name: str) -> np.ndarray:
    """float32 (2, L) at 16 kHz; skips the test when the clip is not on this machine."""
    source = GOLDEN[name]["src"]
    if source == "mp4":
        return decoded(joint_sample(f"{name}.mp4"))
    sound = toy_audio(source["seed"], 2, source["n"], 16000) * source["amp"]
    return (np.round(sound * 32768) / 32768).astype(np.float32)


def decoded(path: Path) -> np.ndarray:
    import av

    resampler = av.AudioResampler(format="s16", layout="stereo", rate=16000)
    with av.open(str(path)) as container:
        parts = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    parts += resampler.resample(None)
    pcm = np.concatenate([part.to_ndarray() for part in parts], axis=1)
    return pcm.reshape(-1, 2).T.astype(np.float32) / 32768
