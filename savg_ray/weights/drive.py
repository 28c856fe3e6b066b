"""The page on which Google Drive asks whether one really wants a file too large for its virus scan."""

from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin

import requests

TIMEOUT_S = (10.0, 60.0)


def is_page(response: requests.Response) -> bool:
    """Whether the answer is a web page rather than a file."""
    return response.headers.get("Content-Type", "").startswith("text/html")


def confirmed_address(session: requests.Session, url: str) -> str | None:
    """Address of the file itself; None when the page offers none, as when Drive's daily quota is used up.

    Raises:
        requests.RequestException: no answer.
    """
    with session.get(url, stream=True, timeout=TIMEOUT_S) as response:
        if not is_page(response):
            return url
        return form_address(response.text, response.url)


def form_address(page: str, page_url: str) -> str | None:
    """Address that the page's ``download-form`` leads to; None without such a form."""
    form = _DownloadForm()
    form.feed(page)
    if form.action is None:
        return None
    return f"{urljoin(page_url, form.action)}?{urlencode(form.fields)}"


class _DownloadForm(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {key: value or "" for key, value in attrs}
        if tag == "form" and attributes.get("id") == "download-form":
            self.action = attributes.get("action", "")
            self._inside = True
        elif tag == "input" and self._inside and "name" in attributes:
            self.fields[attributes["name"]] = attributes.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
