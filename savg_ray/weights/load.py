"""Read weight files as plain tensors, never running what they contain, and put them into networks."""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from savg_ray.errors import UserError

# The key under which a checkpoint of training keeps the network, by network; other files are bare state dicts.
_CONTAINER = {"seld": "model_state_dict", "yolox_tiny": "state_dict"}
# The full AudioCLIP checkpoint also holds the picture and text towers.
_PREFIX = {"audioclip": "audio."}

# What mmengine's training logs and numpy's random states, which lie beside the tensors, name in their pickles
# (numpy 1 and 2). None of it is called: ``_Skipped`` stands in for all. A file that names anything else is refused.
_SKIPPED_NAMES = (
    "mmengine.logging.history_buffer.HistoryBuffer",
    "builtins.getattr",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.ndarray",
    "numpy.dtype",
)


class _Skipped:
    """Takes the place of a training log's objects: accepts anything, does nothing, keeps nothing."""

    def __new__(cls, *_: object) -> "_Skipped":
        return super().__new__(cls)

    def __init__(self, *_: object) -> None:
        """Drop the arguments."""

    def __setstate__(self, _: object) -> None:
        """Drop the state."""


def load_state_dict(path: Path, network: str) -> dict[str, Tensor]:
    """Tensors of a ``.pt``, ``.pth`` or ``.safetensors`` file on the CPU, mapped from disk where the format allows.

    ``network`` names the layout: ``seld`` and ``yolox_tiny`` unwrap the checkpoint of their training, ``audioclip``
    keeps the keys that begin with ``audio.``.

    Raises:
        UserError: the file is missing, damaged, holds pickled code, or no tensors of this network.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist; get it with `savg weights fetch {network}`")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    container = _CONTAINER.get(network)
    if isinstance(content, Mapping) and container in content:
        content = content[container]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise UserError(
            f"{path} is not a state dict of {network}: it holds more than named tensors; use another file"
        )
    prefix = _PREFIX.get(network, "")
    state = {key: tensor for key, tensor in content.items() if key.startswith(prefix)}
    if not state:
        raise UserError(f"{path} holds no tensors of {network}; use the file that `savg weights list` names for it")
    return state


def load_strict(module: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Copy ``state``, read from ``path``, into the module; keys and shapes must agree exactly.

    Raises:
        UserError: names the first missing, unexpected or mis-shaped key; the module is then unchanged.
    """
    own = module.state_dict()
    remedy = "it belongs to another network or version; use the file that `savg weights list` names"
    for key, tensor in own.items():
        if key not in state:
            raise UserError(f"{path} lacks {key}; {remedy}")
        if state[key].shape != tensor.shape:
            raise UserError(
                f"{path} has {key} of shape {tuple(state[key].shape)}, not {tuple(tensor.shape)}; {remedy}"
            )
    for key in state:
        if key not in own:
            raise UserError(f"{path} has {key}, which the network has not; {remedy}")
    module.load_state_dict(state)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(path, error) from error


def _read_pickle(path: Path) -> Any:
    try:
        with torch.serialization.safe_globals([(_Skipped, name) for name in _SKIPPED_NAMES]):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # A damaged pickle can fail in any way that its bytes spell out.
        code = re.search(r"GLOBAL (\S+)", str(error))
        if code is None:
            raise _damaged(path, error) from error
        raise UserError(
            f"{path} holds pickled code ({code[1]}), which was not run; use a file of plain tensors, such as "
            "`savg weights fetch` gets"
        ) from error


def _damaged(path: Path, error: Exception) -> UserError:
    first_line = (str(error).splitlines() or [type(error).__name__])[0]
    return UserError(f"{path} is not a readable weight file ({first_line}); delete it and fetch it again")
