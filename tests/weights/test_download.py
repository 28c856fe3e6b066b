import os
import socket
from pathlib import Path

import numpy as np
import pytest

from savg_ray.errors import UserError
from savg_ray.weights.download import DownloadError, download
from savg_ray.weights.drive import form_address
from tests.weights.server import Remote, serving

CONTENT = np.random.Generator(np.random.PCG64(1)).bytes(400_000)
OTHER = np.random.Generator(np.random.PCG64(2)).bytes(400_000)
QUICK = (0.0, 0.0)


@pytest.fixture
def remote():
    with serving(Remote({"file": CONTENT})) as running:
        yield running


@pytest.fixture
def part(tmp_path):
    return tmp_path / "file.part"


def test_whole_file_and_progress(remote, part):
    seen = []
    download(remote.url("file"), part, report=lambda *now: seen.append(now))
    assert part.read_bytes() == CONTENT
    assert {name for name, _, _ in seen} == {"file"}
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert seen[-1] == ("file", len(CONTENT), len(CONTENT))


def test_cut_connection_goes_on(remote, part):
    remote.cuts = [200_000, 100_000]
    download(remote.url("file"), part, retry_delays_s=QUICK)
    assert part.read_bytes() == CONTENT
    assert remote.sent == [200, 206, 206]
    starts = [int(wanted.removeprefix("bytes=")[:-1]) for _, wanted, _ in remote.asked[1:]]
    assert 100_000 < starts[0] <= 200_000 < starts[1]
    assert remote.asked[1][2] == '"one"'


def test_goes_on_in_a_later_run(remote, part):
    remote.cuts = [200_000]
    with pytest.raises(DownloadError, match="goes on after the"):
        download(remote.url("file"), part, retry_delays_s=())
    kept = part.stat().st_size
    assert 0 < kept <= 200_000
    download(remote.url("file"), part, retry_delays_s=())
    assert part.read_bytes() == CONTENT
    assert remote.asked[-1][1] == f"bytes={kept}-"


def test_progress_renews_the_patience(remote, part):
    remote.cuts = [70_000] * 5
    download(remote.url("file"), part, retry_delays_s=(0.0,))
    assert part.read_bytes() == CONTENT


def test_no_progress_ends(remote, part):
    remote.cuts = [0] * 10
    with pytest.raises(DownloadError, match="could not be downloaded"):
        download(remote.url("file"), part, retry_delays_s=QUICK)
    assert len(remote.asked) == 3


def test_a_server_without_ranges_starts_over(remote, part):
    remote.ranges = False
    remote.cuts = [200_000]
    download(remote.url("file"), part, retry_delays_s=QUICK)
    assert part.read_bytes() == CONTENT
    assert remote.sent == [200, 200]


def test_without_a_validator_nothing_is_kept(remote, part):
    remote.headers = {}
    remote.cuts = [200_000]
    download(remote.url("file"), part, retry_delays_s=QUICK)
    assert part.read_bytes() == CONTENT
    assert [wanted for _, wanted, _ in remote.asked] == [None, None]


def test_a_weak_tag_is_no_condition(remote, part):
    remote.headers = {"ETag": 'W/"one"', "Last-Modified": "Fri, 08 Apr 2022 08:30:35 GMT"}
    remote.cuts = [200_000]
    download(remote.url("file"), part, retry_delays_s=QUICK)
    assert part.read_bytes() == CONTENT
    assert remote.asked[1][2] == "Fri, 08 Apr 2022 08:30:35 GMT"


@pytest.mark.parametrize("heeds_if_range", [True, False])
def test_file_changed_between_attempts(remote, part, heeds_if_range):
    remote.cuts = [200_000]
    with pytest.raises(DownloadError):
        download(remote.url("file"), part, retry_delays_s=())
    remote.contents["file"], remote.headers = OTHER, {"ETag": '"two"'}
    remote.heeds_if_range = heeds_if_range
    download(remote.url("file"), part, retry_delays_s=QUICK)
    assert part.read_bytes() == OTHER
    assert remote.sent == ([200, 200] if heeds_if_range else [200, 206, 200])


def test_complete_part_needs_no_body(remote, part):
    download(remote.url("file"), part)
    download(remote.url("file"), part)
    assert part.read_bytes() == CONTENT
    assert remote.sent == [200, 416]


def test_too_long_part_starts_over(remote, part):
    download(remote.url("file"), part)
    part.write_bytes(CONTENT + b"more")
    download(remote.url("file"), part, retry_delays_s=QUICK)
    assert part.read_bytes() == CONTENT
    assert remote.sent == [200, 416, 200]


def test_part_without_its_note_starts_over(remote, part):
    part.write_bytes(OTHER[:1000])
    download(remote.url("file"), part)
    assert part.read_bytes() == CONTENT
    assert remote.asked[0][1] is None


def test_busy_server_is_asked_again(remote, part):
    remote.statuses = [503, 429]
    download(remote.url("file"), part, retry_delays_s=QUICK)
    assert part.read_bytes() == CONTENT


def test_missing_file_is_not_asked_for_again(remote, part):
    with pytest.raises(DownloadError, match="HTTP 404"):
        download(remote.url("nothing"), part, retry_delays_s=QUICK)
    assert len(remote.asked) == 1
    assert not part.exists()


def test_a_web_page_is_no_file(remote, part):
    remote.content_type = "text/html; charset=utf-8"
    with pytest.raises(DownloadError, match="web page"):
        download(remote.url("file"), part)
    assert not part.exists()


def test_connection_refused(part):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DownloadError, match="Connection refused") as caught:
        download(f"http://127.0.0.1:{port}/file", part, retry_delays_s=QUICK)
    assert "object at 0x" not in str(caught.value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_disk_full(remote, part):
    os.symlink("/dev/full", part)
    with pytest.raises(UserError, match=r"no space left in .* for file") as caught:
        download(remote.url("file"), part, retry_delays_s=QUICK)
    assert not isinstance(caught.value, DownloadError)
    assert len(remote.asked) == 1


def test_folder_that_does_not_exist(remote, tmp_path):
    with pytest.raises(UserError, match="cannot be written"):
        download(remote.url("file"), tmp_path / "nowhere" / "file.part")


PAGE = """<html><body><form id="search" action="/find"><input name="q" value="no"></form>
<form id="download-form" action="{action}" method="get"><input type="submit" value="Download anyway"/>
<input type="hidden" name="id" value="a&amp;b"><input type="hidden" name="confirm" value="t"></form>
<form><input name="later" value="no"></form></body></html>"""


def test_form_of_the_confirmation_page():
    page = PAGE.format(action="https://elsewhere.example/download")
    assert (
        form_address(page, "https://here.example/uc?id=1") == "https://elsewhere.example/download?id=a%26b&confirm=t"
    )
    assert form_address(PAGE.format(action="/get"), "https://here.example/uc") == (
        "https://here.example/get?id=a%26b&confirm=t"
    )
    assert form_address("<html><p>Too many users</p></html>", "https://here.example/uc") is None


def test_confirmation_page_leads_to_the_file(part):
    with serving(Remote({"get?id=a%26b&confirm=t": CONTENT})) as files:
        asking = Remote({"uc": PAGE.format(action=files.url("get")).encode()}, content_type="text/html")
        with serving(asking):
            files.cuts = [200_000]
            download(asking.url("uc"), part, confirm_page=True, retry_delays_s=QUICK)
        assert files.sent == [200, 206]
    assert part.read_bytes() == CONTENT


def test_direct_answer_needs_no_confirmation(remote, part):
    download(remote.url("file"), part, confirm_page=True)
    assert part.read_bytes() == CONTENT


def test_page_without_a_form_is_the_quota(remote, part):
    remote.content_type = "text/html"
    with pytest.raises(DownloadError, match="quota"):
        download(remote.url("file"), part, confirm_page=True)
