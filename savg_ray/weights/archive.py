"""Take one file out of a zip archive."""

import shutil
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from savg_ray.errors import UserError


def extract_member(archive: Path, file_name: str, destination: Path) -> None:
    """Write the archive's only file called ``file_name``, in whatever folder, to ``destination``.

    The names inside the archive never become paths. Nothing is left at ``destination`` when this fails.

    Raises:
        UserError: not a complete zip archive, no or several such files, or no space.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [info for info in opened.infolist() if _is_file(info) and _base(info) == file_name]
            if len(members) != 1:
                held = ", ".join(sorted({_base(info) for info in opened.infolist() if _is_file(info)})) or "nothing"
                count = "no" if not members else "more than one"
                raise UserError(
                    f"{archive} holds {count} file {file_name} (it holds: {held}); delete it and fetch it again"
                )
            with opened.open(members[0]) as source, destination.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        destination.unlink(missing_ok=True)
        raise UserError(f"{archive} is not a complete zip archive ({error}); delete it and fetch it again") from error
    except OSError as error:
        destination.unlink(missing_ok=True)
        raise UserError(
            f"{file_name} cannot be extracted to {destination.parent} ({error.strerror or error}); free some space "
            "there or name another folder with --weights-dir"
        ) from error


def _is_file(info: zipfile.ZipInfo) -> bool:
    return not info.is_dir()


def _base(info: zipfile.ZipInfo) -> str:
    return PurePosixPath(info.filename).name
