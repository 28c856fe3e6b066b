"""Integer-only test inputs, identical on every platform, as the golden numbers define them; and golden readers."""

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

GOLDEN_METRICS = Path(__file__).parent / "golden" / "metrics"


def golden_json(name: str) -> Any:
    path = GOLDEN_METRICS / name
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return json.loads(text)


def golden_npz(name: str) -> dict[str, np.ndarray]:
    with np.load(GOLDEN_METRICS / name, allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


def sha16(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def check_manifest(module: Any, manifest: dict[str, dict]) -> None:
    """The state dict has exactly the official keys, shapes, dtypes and order."""
    state = module.state_dict()
    assert list(state) == list(manifest)
    for key, tensor in state.items():
        assert list(tensor.shape) == manifest[key]["shape"], key
        assert str(tensor.dtype).removeprefix("torch.") == manifest[key]["dtype"], key


def toy_video(seed: int, t: int, h: int, w: int) -> np.ndarray:
    """uint8 RGB [t,h,w,3]: a moving ramp with a moving block and noise."""
    rng = np.random.Generator(np.random.PCG64(seed))
    noise = rng.integers(0, 32, size=(t, h, w, 3), dtype=np.int64)
    p = rng.integers(1, 6, size=8)
    tt = np.arange(t)[:, None, None, None]
    yy = np.arange(h)[None, :, None, None]
    xx = np.arange(w)[None, None, :, None]
    cc = np.arange(3)[None, None, None, :]
    base = (yy * p[0] + xx * p[1] + tt * p[2] * 7 + cc * 85 * p[3]) % 224
    by = (tt * p[4] * 3 + 20) % (h - h // 4)
    bx = (tt * p[5] * 5 + 10) % (w - w // 4)
    block = (yy >= by) & (yy < by + h // 4) & (xx >= bx) & (xx < bx + w // 4)
    return (np.where(block, (200 + 10 * cc + 0 * tt) % 224, base) + noise).astype(np.uint8)


def toy_audio(seed: int, c: int, n: int, fs: int) -> np.ndarray:
    """float64 [c,n], multiples of 1/32768: gated triangles, delayed between channels, and noise."""
    rng = np.random.Generator(np.random.PCG64(seed))
    noise = rng.integers(-2000, 2001, size=(c, n))
    periods = rng.integers(40, 400, size=3)
    i = np.arange(n)
    tri = sum((np.abs((i * 2) % (2 * q) - q) * 8000 // q - 4000) for q in periods)
    gate = ((i // (fs // 8 + 1)) * int(rng.integers(3, 9)) % 7 < 4).astype(np.int64)
    delay = int(rng.integers(3, 12))
    out = np.zeros((c, n), np.int64)
    for k in range(c):
        out[k] = np.roll(tri * gate, delay * k) * (10 - 3 * k) // 10 + noise[k]
    return np.clip(out, -32767, 32767) / 32768.0
