"""The clips for whose pictures, or for whose sound, others are made: what they are called, and which is which."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from savg_ray.errors import ClipError
from savg_ray.files import file_sha256
from savg_ray.generation.identity import given_clip_identity
from savg_ray.generation.sampling import SampledClip
from savg_ray.media.reader import check_file


def clips_for(given: Sequence[Path], out: Path, seed: int, identity: str) -> list[SampledClip]:
    """One clip to make for each of some files, of its name.

    Its number, from which its randomness comes, belongs to what the file holds: names and other files do not matter.
    A file that cannot be read, or shares its name with another, makes a clip that has failed.

    Args:
        given: files.
        out: folder of the run.
        seed: of the run.
        identity: digest of configuration and weights.
    """
    names = Counter(path.stem for path in given)
    clips: dict[str, SampledClip] = {}
    for path in given:
        clip = SampledClip(0, path.stem, out / "clips" / f"{path.stem}.mp4", "", source=path)
        try:
            if names[path.stem] > 1:
                raise ClipError(
                    "duplicate_name", f"{path} shares its name with another clip of its folder; rename one."
                )
            check_file(path)
            digest = file_sha256(path)
            clip.index, clip.identity = int(digest[:16], 16) >> 1, given_clip_identity(identity, seed, digest)
        except ClipError as error:
            clip.reason, clip.error = error.reason, error.message
        except OSError as error:
            clip.reason, clip.error = "unreadable", f"{path} cannot be read ({error.strerror})."
        clips[path.stem] = clip
    return list(clips.values())
