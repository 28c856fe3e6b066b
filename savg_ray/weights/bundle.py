"""The small trained networks that come with this package, so that a laptop run means something."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save

from savg_ray.errors import UserError
from savg_ray.files import file_sha256, written_at_once

FOLDER = Path(__file__).parent / "bundled"
LARGEST_BYTES = 40_000_000

BUNDLED = {
    "mm_mini": "makes small pictures and stereo sound together (preset laptop)",
    "sr_mini": "makes pictures four times as large (preset laptop)",
    "seld_mini": "hears what sounds, when and where: spatial_av_align_mini",
    "yolox_nano": "sees people: spatial_av_align_mini",
    "video_mini": "features of pictures: fvd_mini, kvd_mini",
    "audio_mini": "features of stereo sound: fad_mini",
}
"""What each network is for, by name."""

_SUMS = "SHA256SUMS"


@dataclass(frozen=True)
class Bundle:
    """A folder with one safetensors file a network, and their sums in ``SHA256SUMS`` (as ``sha256sum`` writes it).

    Attributes:
        folder: where they lie.
    """

    folder: Path = FOLDER

    def path(self, name: str) -> Path:
        """Where a network's file is, or would be.

        Raises:
            UserError: there is none of this name.
        """
        if name not in BUNDLED:
            raise UserError(f"no bundled weights are called {name!r}; the names are {', '.join(BUNDLED)}")
        return self.folder / file_name(name)

    def sha256(self, name: str) -> str:
        """Sum of a file, which is hashed each time.

        Raises:
            UserError: the file is missing, or not the one that was bundled.
        """
        path = self.path(name)
        if not path.is_file():
            raise UserError(
                f"{path} is missing: this copy of the package lacks its bundled weights; install it again, or use "
                "`--weights filled` for a run whose numbers carry no meaning"
            )
        found, recorded = file_sha256(path), self._sums().get(path.name)
        if found != recorded:
            raise UserError(
                f"{path} has sha256 {found} instead of {recorded or 'none'} in {_SUMS}; install the package again, "
                f"or bundle the file with `savg weights bundle {name} FILE`"
            )
        return found

    def add(self, name: str, state: Mapping[str, torch.Tensor]) -> Path:
        """Bundle a trained network in the place of the one before.

        Matrices and kernels are kept as float16; everything of one dimension (scales, biases, statistics) as it is.

        Raises:
            UserError: unknown name, weights that float16 cannot hold, or a bundle that becomes too large.
        """
        path = self.path(name)
        self.folder.mkdir(parents=True, exist_ok=True)
        with written_at_once(path) as part:
            part.write_bytes(save({key: _stored(key, tensor) for key, tensor in state.items()}))
            others = (self.folder / file_name(other) for other in BUNDLED if other != name)
            total = os.path.getsize(part) + sum(other.stat().st_size for other in others if other.is_file())
            if total > LARGEST_BYTES:
                raise UserError(
                    f"With {name} the bundled weights would take {total / 1e6:.1f} MB; {LARGEST_BYTES / 1e6:.0f} MB "
                    "are allowed: train a narrower network"
                )
        sums = self._sums() | {path.name: file_sha256(path)}
        with written_at_once(self.folder / _SUMS) as part:
            part.write_text("".join(f"{digest}  {file}\n" for file, digest in sorted(sums.items())))
        return path

    def _sums(self) -> dict[str, str]:
        path = self.folder / _SUMS
        if not path.is_file():
            return {}
        lines = (line.split() for line in path.read_text().splitlines())
        return {file: digest for digest, file in lines}


def file_name(name: str) -> str:
    """What a network's file is called, in the bundle and in a folder of one's own."""
    return f"{name}.safetensors"


def _stored(key: str, tensor: torch.Tensor) -> torch.Tensor:
    if tensor.ndim < 2 or not tensor.is_floating_point():
        return tensor.contiguous()
    half = tensor.to(torch.float16)
    if not torch.isfinite(half).all():
        raise UserError(f"{key} holds values beyond what float16 can, or NaN; train the network again")
    return half.contiguous()
