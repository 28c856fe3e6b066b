"""A file server on 127.0.0.1 that can misbehave as told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Remote:
    """What the server holds, how it behaves, and what it was asked.

    Attributes:
        cuts: bytes of the body after which each of the next answers stops.
        statuses: statuses of the next answers, without body; 0 is a proper answer.
        asked: path, ``Range`` and ``If-Range`` of each request.
        sent: status of each answer.
    """

    contents: dict[str, bytes]
    headers: dict[str, str] = field(default_factory=lambda: {"ETag": '"one"'})
    ranges: bool = True
    heeds_if_range: bool = True
    content_type: str = "application/octet-stream"
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    address: str = ""

    def url(self, path: str) -> str:
        return self.address + path


@contextmanager
def serving(remote: Remote) -> Iterator[Remote]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            _answer(self, remote)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    remote.address = f"http://127.0.0.1:{server.server_port}/"
    try:
        yield remote
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _answer(request: BaseHTTPRequestHandler, remote: Remote) -> None:
    path = request.path.lstrip("/")
    wanted, condition = request.headers["Range"], request.headers["If-Range"]
    remote.asked.append((path, wanted, condition))
    forced = remote.statuses.pop(0) if remote.statuses else 0
    body = remote.contents.get(path)
    status, start = 200, 0
    if forced or body is None:
        status, body = forced or 404, b""
    elif wanted and remote.ranges and (not remote.heeds_if_range or condition in remote.headers.values()):
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        status = 206 if start < len(body) else 416
    remote.sent.append(status)
    request.send_response(status)
    if status == 206:
        request.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
    if status == 416:
        request.send_header("Content-Range", f"bytes */{len(body)}")
        body, start = b"", 0
    for name, value in remote.headers.items():
        request.send_header(name, value)
    request.send_header("Content-Type", remote.content_type)
    request.send_header("Content-Length", str(len(body) - start))
    request.end_headers()
    stop = remote.cuts.pop(0) if remote.cuts else len(body)
    request.wfile.write(body[start : start + stop])
