"""A folder of official weight files: which are there, whether they are unchanged, and how to get the others."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from savg_ray.errors import UserError
from savg_ray.files import user_cache
from savg_ray.weights.archive import extract_member
from savg_ray.weights.checksums import RECORD_NAME, Digest, digest, read_record, record
from savg_ray.weights.download import RETRY_DELAYS_S, DownloadError, Report, download, forget
from savg_ray.weights.sources import WEIGHT_FILES, Source, WeightFile


def default_root() -> Path:
    """``$SAVG_WEIGHTS_DIR``, otherwise ``savg_ray/weights`` in the user's cache folder."""
    named = os.environ.get("SAVG_WEIGHTS_DIR")
    if named:
        return Path(named).expanduser()
    return user_cache() / "weights"


@dataclass(frozen=True)
class WeightStore:
    """Weight files in one folder.

    Attributes:
        root: the folder; it may not exist yet.
        files: what belongs there, by name.
        retry_delays_s: waits between attempts that get no further.
    """

    root: Path = field(default_factory=default_root)
    files: Mapping[str, WeightFile] = field(default_factory=lambda: WEIGHT_FILES)
    retry_delays_s: tuple[float, ...] = RETRY_DELAYS_S

    def file(self, name: str) -> WeightFile:
        """What is known about a weight file.

        Raises:
            UserError: there is none of this name.
        """
        if name not in self.files:
            raise UserError(f"no weights are called {name!r}; the names are {', '.join(self.files)}")
        return self.files[name]

    def path(self, name: str) -> Path:
        """Where the file is, or would be."""
        return self.root / self.file(name).file_name

    def sha256(self, name: str) -> str:
        """Sum of a file that is there; hashed only if its size or time changed since it was recorded.

        Raises:
            UserError: as ``verify``.
        """
        path = self.path(name)
        recorded = read_record(self.root).get(path.name)
        if recorded is None or not recorded.describes(path) or not recorded.sha256.startswith(self.file(name).sha256):
            return self.verify(name)
        return recorded.sha256

    def verify(self, name: str) -> str:
        """Hash a file, compare with what is published and with its first use, and return its sha256.

        Raises:
            UserError: the file is missing, is not the published one, or changed since its first use.
        """
        path = self.path(name)
        if not path.is_file():
            raise UserError(f"{path} does not exist; get it with `savg weights fetch {name}`")
        found = digest(path)
        fault = self._fault(self.file(name), found)
        if fault:
            raise UserError(f"{path}: {fault}; delete it and run `savg weights fetch {name}`")
        record(path, found.sha256)
        return found.sha256

    def fetch(self, name: str, progress: Report | None = None) -> Path:
        """Make sure that a file is there and is the right one; return its path.

        An archive stays in the folder, so that its other files need no second download, and one put there by hand is
        used without any download.

        Raises:
            UserError: no source gives the right file, the folder cannot be written, or another process fetches.
        """
        file = self.file(name)
        target = self.path(name)
        if target.is_file():
            self.sha256(name)
            return target
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with FileLock(self.root / ".fetch.lock", timeout=0):
                self._fetch_from_any(file, target, progress)
        except Timeout:
            raise UserError(f"another process is fetching into {self.root}; wait for it and try again") from None
        except OSError as error:
            raise UserError(
                f"{self.root} cannot be written ({error.strerror or error}); name another folder with --weights-dir"
            ) from error
        return target

    def _fetch_from_any(self, file: WeightFile, target: Path, progress: Report | None) -> None:
        failures = []
        for source in file.sources:
            try:
                complete = self._bring(source, target, progress)
            except DownloadError as error:
                failures.append(str(error))
                continue
            found = digest(complete)
            fault = self._fault(file, found)
            if fault is None:
                os.replace(complete, target)
                forget(complete)
                record(target, found.sha256)
                return
            forget(complete)
            failures.append(f"what {source.url} gave was discarded, since {fault}")
        by_hand = source.archive or file.file_name
        raise UserError(
            f"{file.file_name} could not be fetched: {'; '.join(failures)}; or get {by_hand} from {file.page} with a "
            f"browser, put it into {self.root}, and run this again"
        )

    def _bring(self, source: Source, target: Path, progress: Report | None) -> Path:
        """A complete, not yet verified copy of the file beside its final place."""
        if not source.archive:
            return self._download(source, target, progress)
        archive = self.root / source.archive
        if not archive.is_file():
            part = self._download(source, archive, progress)
            os.replace(part, archive)
            forget(part)
        extracted = target.with_name(target.name + ".extracted")
        extract_member(archive, target.name, extracted)
        return extracted

    def _download(self, source: Source, target: Path, progress: Report | None) -> Path:
        part = target.with_name(target.name + ".part")
        download(
            source.url,
            part,
            confirm_page=source.confirm_page,
            report=progress,
            retry_delays_s=self.retry_delays_s,
        )
        return part

    def _fault(self, file: WeightFile, found: Digest) -> str | None:
        """What is wrong with a file of these sums, without a remedy; None when nothing is."""
        name = file.file_name
        if not found.sha256.startswith(file.sha256):
            return f"{name} has sha256 {found.sha256} instead of the published {file.sha256}"
        if file.git_blob and found.git_blob != file.git_blob:
            return f"{name} has git object id {found.git_blob} instead of the published {file.git_blob}"
        recorded = read_record(self.root).get(name)
        if recorded is not None and recorded.sha256 != found.sha256:
            return (
                f"{name} has sha256 {found.sha256} instead of {recorded.sha256}, as at its first use (if the change "
                f"is wanted, remove the entry from {self.root / RECORD_NAME})"
            )
        return None
