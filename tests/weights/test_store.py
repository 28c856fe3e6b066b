import hashlib
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from savg_ray.errors import UserError
from savg_ray.weights import store as store_module
from savg_ray.weights.checksums import digest
from savg_ray.weights.sources import WEIGHT_FILES, Source, WeightFile
from savg_ray.weights.store import WeightStore, default_root
from tests.weights.server import Remote, serving

CONTENT = np.random.Generator(np.random.PCG64(3)).bytes(200_000)
SUM = hashlib.sha256(CONTENT).hexdigest()
ZEROS = "0" * 64


@pytest.fixture
def remote():
    with serving(Remote({"net.pt": CONTENT})) as running:
        yield running


@pytest.fixture
def make_store(remote, tmp_path):
    def make(**about):
        sources = about.pop("sources", (Source(remote.url("net.pt")),))
        file = WeightFile(name="net", file_name="net.pt", sources=sources, page="https://page", licence="", **about)
        return WeightStore(tmp_path / "weights", {"net": file}, retry_delays_s=(0.0,))

    return make


def zipped(tmp_path, members):
    path = tmp_path / "made.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path.read_bytes()


def names_in(root):
    return sorted(path.name for path in root.iterdir() if not path.name.startswith("."))


def test_default_root(monkeypatch):
    monkeypatch.setenv("SAVG_WEIGHTS_DIR", "~/my weights")
    assert default_root() == Path.home() / "my weights"
    monkeypatch.delenv("SAVG_WEIGHTS_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert default_root() == Path("/caches/savg_ray/weights")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_root() == Path.home() / ".cache" / "savg_ray" / "weights"


@pytest.mark.parametrize("published", ["", SUM, SUM[:8]])
def test_fetch_records_the_sum(make_store, published):
    store = make_store(sha256=published)
    path = store.fetch("net")
    assert path == store.path("net") == store.root / "net.pt"
    assert path.read_bytes() == CONTENT
    assert store.sha256("net") == store.verify("net") == SUM
    assert json.loads((store.root / "checksums.json").read_text())["net.pt"]["sha256"] == SUM
    assert names_in(store.root) == ["checksums.json", "net.pt"]


def test_fetch_of_what_is_there_asks_nobody(make_store, remote):
    store = make_store()
    store.fetch("net")
    store.fetch("net")
    assert len(remote.asked) == 1


def test_fetch_goes_on_after_a_cut(make_store, remote):
    remote.cuts = [100_000]
    assert make_store(sha256=SUM).fetch("net").read_bytes() == CONTENT
    assert remote.sent == [200, 206]


@pytest.mark.parametrize("about", [{"sha256": ZEROS}, {"sha256": "b4047906"}, {"git_blob": "0" * 40}])
def test_wrong_download_is_discarded(make_store, about):
    store = make_store(**about)
    with pytest.raises(UserError, match="discarded") as caught:
        store.fetch("net")
    expected = next(iter(about.values()))
    assert expected in str(caught.value) and "https://page" in str(caught.value)
    assert (SUM if "sha256" in about else digest_of(CONTENT)) in str(caught.value)
    assert names_in(store.root) == []


def digest_of(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def test_git_object_id(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"what is up, doc?")
    # The example of the Pro Git book, chapter 10.2.
    assert digest(path).git_blob == "bd9dbf5aae1a3862dd1526723246b20206e5fc37"
    assert digest(path).sha256 == hashlib.sha256(b"what is up, doc?").hexdigest()


def test_second_source_is_tried(make_store, remote):
    sources = (Source(remote.url("gone")), Source(remote.url("net.pt")))
    assert make_store(sources=sources, sha256=SUM).fetch("net").read_bytes() == CONTENT


def test_every_failure_is_named(make_store, remote):
    store = make_store(sources=(Source(remote.url("gone")), Source(remote.url("away"))))
    with pytest.raises(UserError) as caught:
        store.fetch("net")
    for part in ("gone answered HTTP 404", "away answered HTTP 404", "https://page", str(store.root)):
        assert part in str(caught.value)


def test_tampered_file_is_noticed(make_store):
    store = make_store()
    path = store.fetch("net")
    path.write_bytes(CONTENT[:-1] + b"!")
    os.utime(path, ns=(1, 1))
    tampered = hashlib.sha256(path.read_bytes()).hexdigest()
    for check in (store.sha256, store.verify, store.fetch):
        with pytest.raises(UserError) as caught:
            check("net")
        assert SUM in str(caught.value) and tampered in str(caught.value) and "delete it" in str(caught.value)


def test_verify_sees_a_change_that_keeps_size_and_time(make_store):
    store = make_store()
    path = store.fetch("net")
    stat = path.stat()
    path.write_bytes(CONTENT[:-1] + b"!")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert store.sha256("net") == SUM
    with pytest.raises(UserError, match="first use"):
        store.verify("net")


def test_an_untouched_file_is_hashed_once(make_store, monkeypatch):
    store = make_store()
    path = store.fetch("net")
    hashed = []
    monkeypatch.setattr(store_module, "digest", lambda path: hashed.append(path) or digest(path))
    assert store.sha256("net") == SUM
    assert hashed == []
    os.utime(path, ns=(1, 1))
    assert store.sha256("net") == SUM
    assert store.sha256("net") == SUM
    assert hashed == [path]


def test_file_put_there_by_hand(make_store):
    store = make_store(sha256=SUM[:8])
    store.root.mkdir()
    store.path("net").write_bytes(CONTENT)
    assert store.sha256("net") == SUM
    store.path("net").write_bytes(b"something else")
    with pytest.raises(UserError, match="instead of the published"):
        store.sha256("net")


def test_a_sum_published_later_counts(make_store):
    make_store().fetch("net")
    with pytest.raises(UserError, match=ZEROS):
        make_store(sha256=ZEROS).sha256("net")


def test_missing_file(make_store):
    with pytest.raises(UserError, match="savg weights fetch net"):
        make_store().sha256("net")


def test_unknown_name(make_store):
    with pytest.raises(UserError, match="'i4d'; the names are net"):
        make_store().fetch("i4d")


def test_damaged_record(make_store):
    store = make_store()
    store.fetch("net")
    (store.root / "checksums.json").write_text('{"net.pt": 3}')
    with pytest.raises(UserError, match=r"checksums\.json"):
        store.sha256("net")


def test_folder_that_cannot_be_made(make_store, tmp_path):
    (tmp_path / "weights").write_text("a file")
    with pytest.raises(UserError, match="cannot be written"):
        make_store().fetch("net")


def test_unwritable_folder_is_no_obstacle_to_reading(make_store, monkeypatch):
    store = make_store()
    store.root.mkdir()
    store.path("net").write_bytes(CONTENT)

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("savg_ray.weights.checksums.tempfile.NamedTemporaryFile", refuse)
    assert store.sha256("net") == SUM
    assert names_in(store.root) == ["net.pt"]


def test_two_processes_do_not_fetch_at_once(make_store):
    store = make_store()
    store.root.mkdir()
    with FileLock(store.root / ".fetch.lock"), pytest.raises(UserError, match="another process"):
        store.fetch("net")


@pytest.fixture
def in_archive(make_store, remote):
    def make(content, **about):
        remote.contents["all.zip"] = content
        return make_store(sources=(Source(remote.url("all.zip"), archive="all.zip"),), **about)

    return make


def test_file_from_an_archive(in_archive, tmp_path):
    store = in_archive(zipped(tmp_path, [("Folder/net.pt", CONTENT), ("Folder/other.pt", b"x")]), sha256=SUM)
    assert store.fetch("net").read_bytes() == CONTENT
    assert names_in(store.root) == ["all.zip", "checksums.json", "net.pt"]


def test_archive_put_there_by_hand(in_archive, tmp_path, remote):
    store = in_archive(b"")
    store.root.mkdir()
    (store.root / "all.zip").write_bytes(zipped(tmp_path, [("net.pt", CONTENT)]))
    assert store.fetch("net").read_bytes() == CONTENT
    assert remote.asked == []


def test_names_in_an_archive_are_no_paths(in_archive, tmp_path):
    store = in_archive(zipped(tmp_path, [("../../net.pt", CONTENT)]))
    assert store.fetch("net").read_bytes() == CONTENT
    assert not (tmp_path / "net.pt").exists() and not (tmp_path.parent / "net.pt").exists()


@pytest.mark.parametrize("members", [[("Folder/other.pt", b"x")], [("a/net.pt", b"x"), ("b/net.pt", b"y")]])
def test_archive_without_the_file(in_archive, tmp_path, members):
    store = in_archive(zipped(tmp_path, members))
    with pytest.raises(UserError, match=r"all\.zip holds (no|more than one) file net\.pt"):
        store.fetch("net")
    assert names_in(store.root) == ["all.zip"]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "no zip at all"])
def test_damaged_archive(in_archive, tmp_path, damage):
    content = bytearray(zipped(tmp_path, [("net.pt", CONTENT)]))
    if damage == "truncated":
        content = content[:-1000]
    elif damage == "flipped":
        content[1000] ^= 1
    else:
        content = b"hello"
    store = in_archive(bytes(content))
    with pytest.raises(UserError, match=r"all\.zip is not a complete zip archive"):
        store.fetch("net")
    assert names_in(store.root) == ["all.zip"]


def test_official_files():
    assert list(WEIGHT_FILES) == ["i3d", "audioclip", "seld", "yolox_tiny", "joint", "sr"]
    for name, file in WEIGHT_FILES.items():
        assert file.name == name
        assert file.sources and all(source.url.startswith("https://") for source in file.sources)
        assert len(file.sha256) in (0, 8, 64) and len(file.git_blob) in (0, 40)
    assert WEIGHT_FILES["yolox_tiny"].file_name.endswith(WEIGHT_FILES["yolox_tiny"].sha256 + ".pth")
