"""Clips already on disk: what each file says it was made from, and whether it is whole."""

import json
from dataclasses import dataclass
from pathlib import Path

import av

from savg_ray.errors import ClipError
from savg_ray.media.reader import probe_clip


@dataclass(frozen=True)
class Origin:
    """What a clip's file says of itself, kept as its container's comment.

    Attributes:
        identity: digest of everything that decided the clip (`savg_ray.generation.identity`).
        nfe: calls of the base network that it took; 0 for other generators.
        notes: what happened on the way.
    """

    identity: str
    nfe: int = 0
    notes: str = ""

    def comment(self) -> str:
        """As text for the container."""
        return json.dumps({"savg_ray": self.identity, "nfe": self.nfe, "notes": self.notes})


def origin_of(path: Path) -> Origin | None:
    """What a file says it was made from; None for a missing or damaged file, or one that is not ours.

    Files are written whole or not at all, so that a readable container with all packets is a whole clip.
    """
    try:
        probe_clip(path)
        with av.open(str(path), metadata_errors="ignore") as container:
            said = json.loads(container.metadata.get("comment", ""))
        return Origin(str(said["savg_ray"]), int(said["nfe"]), str(said["notes"]))
    except (ClipError, av.FFmpegError, OSError, ValueError, KeyError, TypeError):
        return None
