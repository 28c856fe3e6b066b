"""Download one file over HTTP, going on where a cut connection or an earlier run stopped."""

import errno
import json
import re
import time
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

import requests

from savg_ray.errors import UserError
from savg_ray.weights.drive import TIMEOUT_S, confirmed_address, is_page

# A cut connection loses the chunk in progress.
CHUNK_BYTES = 1 << 16
RETRY_DELAYS_S = (1.0, 2.0, 4.0, 8.0, 16.0)

# File name, bytes so far, bytes in all (None when the server does not say).
Report = Callable[[str, int, int | None], None]


class DownloadError(UserError):
    """This source cannot give the file; another one might."""


class _CutShort(Exception):
    """The attempt failed in a way that another attempt may mend."""


@dataclass(frozen=True)
class _Version:
    """What tells one version of a remote file from another (RFC 9110 section 8.8); kept beside the partial file."""

    etag: str = ""
    last_modified: str = ""
    total_bytes: int | None = None

    @property
    def validator(self) -> str:
        """Value for ``If-Range``, which takes no weak entity tag; empty when the server named neither."""
        return self.last_modified if self.etag.startswith("W/") or not self.etag else self.etag

    def contradicts(self, other: "_Version") -> bool:
        """Whether the two are certainly different versions; what one of them does not say is no contradiction."""
        ours, theirs = astuple(self), astuple(other)
        return any(a and b and a != b for a, b in zip(ours, theirs, strict=True))


def download(
    url: str,
    part: Path,
    *,
    confirm_page: bool = False,
    report: Report | None = None,
    retry_delays_s: tuple[float, ...] = RETRY_DELAYS_S,
) -> None:
    """Bring the content of ``url`` to ``part``, complete but not yet verified.

    What an earlier call left in ``part`` is kept only if the server says that it belongs to the same version of the
    file (``Range`` with ``If-Range``, RFC 9110 sections 13.1.5 and 14.2). Each attempt that gets further than any
    before starts the delays anew.

    Raises:
        DownloadError: the server refuses, answers with a web page, or keeps cutting the connection.
        UserError: ``part`` cannot be written.
    """
    furthest = _size(part)
    failures = 0
    with requests.Session() as session:
        while True:
            try:
                return _attempt(session, url, part, confirm_page, report)
            except (_CutShort, requests.RequestException) as error:
                if _size(part) > furthest:
                    furthest, failures = _size(part), 0
                if failures == len(retry_delays_s):
                    raise DownloadError(
                        f"{url} could not be downloaded ({_brief(error)}); check the connection and run the command "
                        f"again: it goes on after the {_size(part)} bytes it has, if the server can"
                    ) from error
            except OSError as error:
                raise UserError(_disk_sentence(part, error)) from error
            time.sleep(retry_delays_s[failures])
            failures += 1


def forget(part: Path) -> None:
    """Remove a partial file and the note about its version."""
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _attempt(session: requests.Session, url: str, part: Path, confirm_page: bool, report: Report | None) -> None:
    address = confirmed_address(session, url) if confirm_page else url
    if address is None:
        raise DownloadError(f"{url} offers no download now, often because Google Drive's daily quota is used up")
    known = _read_note(part)
    start = _size(part) if known.validator else 0
    # Ranges count raw bytes, so the server must not compress.
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": known.validator}
    with session.get(address, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
        if start and response.status_code == requests.codes.requested_range_not_satisfiable:
            if _range_total(response) == start:
                return
            forget(part)
            raise _CutShort("the partial file is longer than the file itself")
        _check_status(response, url)
        found = _version(response)
        if response.status_code != requests.codes.partial_content:
            start = 0
            # Emptied first: an interruption must not leave the note of this version beside bytes of another.
            part.write_bytes(b"")
            _note(part).write_text(json.dumps(asdict(found)))
        elif _range_start(response) != start or found.contradicts(known):
            forget(part)
            raise _CutShort("the file changed since the download began")
        _write_body(response, part, start, found.total_bytes, report)


def _check_status(response: requests.Response, url: str) -> None:
    status = response.status_code
    if status == requests.codes.too_many_requests or status >= 500:
        raise _CutShort(f"HTTP {status}")
    if status not in (requests.codes.ok, requests.codes.partial_content):
        raise DownloadError(f"{url} answered HTTP {status} {response.reason}".rstrip())
    if is_page(response):
        raise DownloadError(f"{url} answered with a web page instead of the file")


def _write_body(
    response: requests.Response, part: Path, start: int, total: int | None, report: Report | None
) -> None:
    done = start
    with part.open("ab") as file:
        for chunk in response.iter_content(CHUNK_BYTES):
            file.write(chunk)
            done += len(chunk)
            if report is not None:
                report(part.stem, done, total)
    if total is not None and done != total:
        raise _CutShort(f"the connection ended after {done} of {total} bytes")


def _version(response: requests.Response) -> _Version:
    headers = response.headers
    if response.status_code == requests.codes.partial_content:
        total = _range_total(response)
    else:
        length = headers.get("Content-Length", "")
        total = int(length) if length.isdigit() else None
    return _Version(headers.get("ETag", ""), headers.get("Last-Modified", ""), total)


def _range_total(response: requests.Response) -> int | None:
    match = re.fullmatch(r"bytes .*/(\d+)", response.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _range_start(response: requests.Response) -> int | None:
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _note(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _read_note(part: Path) -> _Version:
    try:
        return _Version(**json.loads(_note(part).read_text()))
    except (OSError, ValueError, TypeError):
        # Without a readable note the partial file is of no known version and is fetched anew.
        return _Version()


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _brief(error: Exception) -> str:
    """What went wrong in one line, without the object addresses that messages of requests carry."""
    text = str(error)
    cause = re.search(r"Connection refused|Name or service not known|timed out|certificate verify failed", text)
    if cause is not None:
        return cause[0]
    return (re.sub(r"<[^>]*> ?:? ?", "", text).splitlines() or [type(error).__name__])[0]


def _disk_sentence(part: Path, error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return (
            f"no space left in {part.parent} for {part.stem}: free some, or name another folder with --weights-dir, "
            f"and run the command again (the {_size(part)} bytes already there are kept)"
        )
    return f"{part} cannot be written ({error.strerror or error}); name a folder you may write to with --weights-dir"
