"""Any generator of clips: what a model of your own must offer, and how it is found."""

import copy
import importlib
import sys
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from savg_ray.errors import ClipError, UserError


class Generator(Protocol):
    """A model that makes clips; ``Class(config)`` constructs it from the keys of its YAML file.

    Attributes:
        fps: frames per second of its pictures.
        rate_hz: samples per second of its sound.
    """

    fps: float
    rate_hz: int

    def load(self, device: str) -> None:
        """Get ready on ``"cpu"`` or ``"cuda"``; called once in each worker."""

    def sample(self, clip_ids: list[str], seeds: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """Make one clip for each id, from its seed (63 bits) alone, whatever its batch mates.

        Returns:
            Pictures, uint8 RGB (B, T, H, W, 3) with even H and W, and stereo sound, float32 (B, 2, L) in [-1, 1].
        """


def construct(reference: str, config: dict[str, Any], search_path: Path) -> Generator:
    """The generator that ``package.module:Class`` names, constructed from its configuration.

    Args:
        reference: where the class is; modules are also looked for in ``search_path``.
        config: what the class is given.
        search_path: folder of the user's modules.

    Raises:
        UserError: it cannot be imported or constructed, or does not offer what a generator must.
    """
    module_name, _, class_name = reference.partition(":")
    if not module_name or not class_name:
        raise UserError(f"--generator {reference} must read package.module:Class.")
    if str(search_path) not in sys.path:
        sys.path.insert(0, str(search_path))
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise UserError(
            f"--generator {reference} cannot be imported ({error}); run where {module_name} can be found, or "
            "install it."
        ) from error
    made = getattr(module, class_name, None)
    if made is None:
        raise UserError(f"--generator {reference}: {module_name} has no {class_name}.")
    try:
        generator = made(copy.deepcopy(config))
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"--generator {reference} refuses its configuration ({type(error).__name__}: {error}); change the file "
            "given with --generator-config."
        ) from error
    missing = [name for name in ("fps", "rate_hz", "load", "sample") if not hasattr(generator, name)]
    if missing:
        raise UserError(
            f"--generator {reference} lacks {', '.join(missing)}; see savg_ray/sampling/generator.py for what a "
            "generator offers."
        )
    return generator


def check_output(frames: np.ndarray, waveforms: np.ndarray, n_clips: int, reference: str) -> None:
    """Refuse what is no batch of clips.

    Raises:
        ClipError: reason ``bad_output``; names the generator and what is wrong.
    """
    complaint = ""
    if not isinstance(frames, np.ndarray) or frames.dtype != np.uint8 or frames.ndim != 5 or frames.shape[-1] != 3:
        complaint = f"pictures must be uint8 (B, T, H, W, 3), not {_described(frames)}"
    elif frames.shape[2] % 2 or frames.shape[3] % 2 or 0 in frames.shape:
        complaint = f"pictures must have even height and width, not {frames.shape[3]}x{frames.shape[2]}"
    elif not isinstance(waveforms, np.ndarray) or waveforms.dtype != np.float32 or waveforms.ndim != 3:
        complaint = f"sound must be float32 (B, 2, L), not {_described(waveforms)}"
    elif waveforms.shape[1] != 2 or not waveforms.shape[2]:
        complaint = f"sound must be stereo, (B, 2, L), not {waveforms.shape}"
    elif len(frames) != n_clips or len(waveforms) != n_clips:
        complaint = f"{n_clips} clips were asked for, not {len(frames)} with {len(waveforms)} sounds"
    elif not np.isfinite(waveforms).all():
        complaint = "the sound holds NaN or infinite samples"
    if complaint:
        raise ClipError("bad_output", f"generator {reference}: {complaint}.")


def _described(value: object) -> str:
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
