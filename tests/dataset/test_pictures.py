from fractions import Fraction

import av
import numpy as np
import pytest

from savg_ray.dataset.pictures import pictures_at, read_header
from savg_ray.errors import ClipError
from tests.media.files import write_media

N_FRAMES = 240
FPS = Fraction(30000, 1001)


def numbered(n_frames=N_FRAMES, height=32, width=64):
    """Each picture tells its number in two grey values."""
    frames = np.empty((n_frames, height, width, 3), np.uint8)
    frames[:, :, : width // 2] = (20 + np.arange(n_frames) // 16 * 12)[:, None, None, None]
    frames[:, :, width // 2 :] = (20 + np.arange(n_frames) % 16 * 12)[:, None, None, None]
    return frames


def number_of(picture):
    width = picture.shape[1]
    high, low = picture[:, : width // 2 - 4].mean(), picture[:, width // 2 + 4 :].mean()
    return round((high - 20) / 12) * 16 + round((low - 20) / 12)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """29.97 fps with reordered pictures and a key frame every 24 pictures."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"g": "24", "bf": "3", "crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        for picture in numbered():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_header(film):
    header = read_header(film)
    assert (header.fps, header.n_frames, header.width_px, header.height_px) == (FPS, N_FRAMES, 64, 32)
    assert header.length_s == pytest.approx(8.008)


@pytest.mark.parametrize(
    "wanted",
    [
        list(range(N_FRAMES)),
        [round(k * 29.97 / 4) for k in range(32)],
        [0],
        [N_FRAMES - 1],
        [3, 4, 100, 101, 102, 160, 239],
        [47, 48, 49, 95, 96, 97, 191, 192, 193],
        [],
    ],
)
def test_exactly_the_wanted_pictures_come_as_plain_decoding_gives_them(film, wanted):
    got = dict(pictures_at(film, wanted))
    assert list(got) == wanted
    with av.open(str(film)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number in got:
                assert number_of(got[number]) == number
                np.testing.assert_array_equal(got[number], frame.to_ndarray(format="rgb24"))


def test_far_pictures_are_not_decoded_towards(film, monkeypatch):
    seeks = []
    original = av.container.InputContainer.seek

    class Watched:
        def __init__(self, container):
            self._container = container

        def __getattr__(self, name):
            return getattr(self._container, name)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self._container.close()

        def seek(self, *arguments, **options):
            seeks.append(arguments)
            return original(self._container, *arguments, **options)

    opened = av.open
    monkeypatch.setattr(av, "open", lambda *a, **k: Watched(opened(*a, **k)))
    assert [n for n, _ in pictures_at(film, [2, 10, 200, 205])] == [2, 10, 200, 205]
    assert len(seeks) == 1


def test_a_damaged_or_short_video_costs_a_sentence(film, tmp_path):
    with pytest.raises(ClipError, match=r"film.mp4 is damaged or ends early: .* at frame 250") as caught:
        list(pictures_at(film, [10, 250]))
    assert caught.value.reason == "bad_video"
    data = film.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: len(data) // 2])
    with pytest.raises(ClipError, match=r"cut\.mp4"):
        read_header(cut)
    middle = data.index(b"mdat") + 4 + (len(data) - data.index(b"mdat")) // 3
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(data[:middle] + b"\xff" * 900 + data[middle + 900 :])
    with pytest.raises(ClipError, match=r"damaged\.mp4 is damaged"):
        list(pictures_at(damaged, range(N_FRAMES)))


def test_a_video_must_be_equirectangular(tmp_path):
    write_media(tmp_path / "flat.mp4", numbered(4, 48, 64), None)
    write_media(tmp_path / "sound.mp4", None, np.zeros((2, 1600), np.float32))
    (tmp_path / "text.mp4").write_text("not a film")
    for name, said in (
        ("flat", "is 64x48; an equirectangular picture is twice as wide as high"),
        ("sound", "has no video stream"),
        ("text", "cannot be read as video"),
    ):
        with pytest.raises(ClipError, match=said):
            read_header(tmp_path / f"{name}.mp4")
