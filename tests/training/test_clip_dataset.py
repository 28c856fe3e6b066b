from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from savg_ray.clips import Clip
from savg_ray.errors import ClipError, UserError
from savg_ray.media.writer import write_clip
from savg_ray.spatial.ambisonics import encode_gains, stereo
from savg_ray.spatial.perspective import View, pad_to_square
from savg_ray.spatial.screen import screen_position
from savg_ray.training.clip_dataset import (
    ClipDataset,
    LabelledClip,
    clip_paths,
    clip_row,
    is_mirrored,
    label_columns,
    mirror_pair,
    mirrored,
    path_rows,
    read_labelled_clip,
)
from tests.media.files import write_media

RATE_HZ = 16000
VIEW = View(64, 36)
CENTRE_PX = 31.5
N_CLIPS = 6


def source_clip(azimuth_deg, n_samples=80000):
    """A white spot where a tone comes from, in 64x64 pictures."""
    _, x_px, y_px = screen_position(azimuth_deg, 0, VIEW)
    picture = np.zeros((36, 64, 3), np.uint8)
    picture[y_px - 3 : y_px + 3, x_px - 3 : x_px + 3] = 255
    tone = 0.2 * np.sin(2 * np.pi * 500 * np.arange(n_samples) / RATE_HZ)
    waveform = stereo(encode_gains(azimuth_deg, 0)[:, None] * tone).astype(np.float32)
    frames = np.repeat(pad_to_square(picture, 64)[None], 20, axis=0)
    return Clip(f"at{azimuth_deg}", frames, 4.0, waveform, RATE_HZ), int(x_px), int(y_px)


def write_source_clip(root, name, azimuth_deg, dataset_class=9, **form):
    clip, x_px, y_px = source_clip(azimuth_deg, **form)
    write_clip(root / "video_dev" / f"{name}.mp4", clip)
    rows = "".join(f"{frame},{dataset_class},{x_px},{y_px}\n" for frame in range(5, 47))
    (root / "metadata_dev" / f"{name}.csv").write_text(rows)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("built")
    for folder in ("video_dev", "metadata_dev"):
        (root / folder).mkdir()
    for i, azimuth_deg in enumerate((30, -30, 20, -20, 10, -40)):
        write_source_clip(root, f"clip{i}", azimuth_deg, dataset_class=(9, 0, 1)[i % 3])
    (root / "video_dev" / ".clip9.mp4.123.part").write_bytes(b"half")
    return root


@pytest.fixture(scope="module")
def pairs(root):
    return clip_paths(root, "dev")


@pytest.fixture
def bad(root, pairs, tmp_path):
    """Reads a good video with a label file of one's own, which must fail: (reason, message)."""

    def failure(text):
        (tmp_path / "labels.csv").write_text(text)
        with pytest.raises(ClipError) as caught:
            read_labelled_clip(pairs[0][0], tmp_path / "labels.csv")
        return caught.value.reason, caught.value.message

    return failure


def seen_px(frames):
    """Column of the light of pictures (T, H, W, 3)."""
    light = frames[..., 0].astype(float).sum(axis=(0, 1))
    return (light * np.arange(len(light))).sum() / light.sum()


def heard_left(waveform):
    left, right = (waveform**2).mean(axis=1)
    return bool(left > right)


def sides(clip):
    """Is it left in the pictures, in the sound, in the labels?"""
    return seen_px(clip.frames) < CENTRE_PX, heard_left(clip.waveform), bool((clip.labels[:, 2] < CENTRE_PX).all())


def test_paths_are_sorted_pairs_of_whole_files(root, pairs):
    assert [(video.name, labels.name) for video, labels in pairs] == [
        (f"clip{i}.mp4", f"clip{i}.csv") for i in range(N_CLIPS)
    ]
    assert pairs[0][0].parent == root / "video_dev" and pairs[0][1].parent == root / "metadata_dev"


def test_missing_clips_and_labels_are_named(root, tmp_path):
    with pytest.raises(UserError, match="video_eval holds no mp4"):
        clip_paths(root, "eval")
    (tmp_path / "video_dev").mkdir()
    (tmp_path / "video_dev" / "a.mp4").write_bytes(b"x")
    with pytest.raises(UserError, match=r"metadata_dev/a\.csv is missing"):
        clip_paths(tmp_path, "dev")


def test_a_clip_is_read_with_its_labels(pairs):
    clip = read_labelled_clip(*pairs[0])
    assert (clip.id, clip.fps, clip.rate_hz, clip.n_label_frames) == ("clip0", 4.0, RATE_HZ, 50)
    assert clip.frames.shape == (20, 64, 64, 3) and clip.waveform.shape == (2, 80000)
    _, x_px, y_px = source_clip(30)
    assert clip.labels.dtype == np.int64
    np.testing.assert_array_equal(clip.labels, [[frame, 9, x_px, y_px] for frame in range(5, 47)])
    assert sides(clip) == (True, True, True)


def test_no_labels_are_labels_too(pairs, tmp_path):
    (tmp_path / "silent.csv").write_text("")
    clip = read_labelled_clip(pairs[0][0], tmp_path / "silent.csv")
    assert clip.labels.shape == (0, 4)
    columns = label_columns(mirror_pair(clip))
    assert (columns["label_class"] == -1).all() and (columns["label_px"] == -1).all()


def test_bad_label_files_are_named_with_their_line(bad):
    reason, message = bad("0,9,10,10\n1,9,ten,10\n")
    assert reason == "bad_rows" and "labels.csv line 2" in message
    assert bad("0,9,10\n")[0] == "bad_rows"
    for line, column in (
        ("50,9,1,1", "frame 50"),
        ("0,9,64,1", "x 64"),
        ("0,9,1,-1", "y -1"),
        ("0,9,1.5,1", "x 1.5"),
    ):
        reason, message = bad(f"3,0,5,5\n{line}\n")
        assert reason == "bad_rows" and f"labels.csv line 2 has {column}," in message and "64x64" in message
    reason, message = bad("0,6,10,10\n")
    assert reason == "unknown_class" and "labels.csv holds class id 6" in message


def test_bad_videos_are_named(pairs, tmp_path):
    (tmp_path / "noise.mp4").write_bytes(b"no film")
    with pytest.raises(ClipError, match=r"noise\.mp4"):
        read_labelled_clip(tmp_path / "noise.mp4", pairs[0][1])
    clip, _, _ = source_clip(0)
    mono = write_media(tmp_path / "mono.mp4", clip.frames, clip.waveform[:1], layout="mono")
    with pytest.raises(ClipError, match="1 channels of sound"):
        read_labelled_clip(mono, pairs[0][1])


@pytest.mark.parametrize("i", range(N_CLIPS))
def test_a_mirrored_pair_agrees_on_the_other_side(pairs, i):
    clip = read_labelled_clip(*pairs[i])
    other = mirror_pair(clip)
    assert len(set(sides(clip))) == 1 and sides(other) == tuple(not side for side in sides(clip))
    assert seen_px(other.frames) == pytest.approx(63 - seen_px(clip.frames))
    np.testing.assert_array_equal(other.labels[:, [0, 1, 3]], clip.labels[:, [0, 1, 3]])
    again = mirror_pair(other)
    for name in ("frames", "waveform", "labels"):
        np.testing.assert_array_equal(getattr(again, name), getattr(clip, name))


def test_official_mirroring_tears_sight_and_sound_apart(pairs):
    clip = read_labelled_clip(*pairs[0])
    for epoch in range(3):
        assert sides(mirrored(clip, "official", 0, epoch)) == (False, True, True)
    assert mirrored(clip, "none", 0, 0) is clip


def test_half_of_all_clips_are_mirrored_anew_in_each_epoch():
    ids = [f"clip{i}" for i in range(400)]
    drawn = np.array([[is_mirrored(name, 7, epoch) for name in ids] for epoch in range(3)])
    assert (abs(drawn.mean(axis=1) - 0.5) < 0.1).all()
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert abs((drawn[one] == drawn[other]).mean() - 0.5) < 0.1
    assert abs(np.mean([is_mirrored(name, 8, 0) for name in ids] == drawn[0]) - 0.5) < 0.1
    np.random.seed(0)
    torch.manual_seed(0)
    assert [is_mirrored(name, 7, 1) for name in ids] == drawn[1].tolist()


def test_dense_labels_keep_the_lowest_class_and_its_first_row():
    rows = [[7, 9, 1, 2], [3, 9, 10, 11], [3, 1, 20, 21], [3, 0, 30, 31], [0, 0, 5, 6]]
    clip = LabelledClip("a", np.zeros((4, 36, 64, 3), np.uint8), 4.0, np.zeros((2, 16000), np.float32), 16000, None)
    columns = label_columns(replace(clip, labels=np.array(rows)))
    np.testing.assert_array_equal(columns["label_class"], [0, -1, -1, 0, -1, -1, -1, 1, -1, -1])
    np.testing.assert_array_equal(columns["label_px"][[0, 1, 3, 7]], [[5, 6], [-1, -1], [20, 21], [1, 2]])


def test_a_loader_batches_clips(pairs):
    batch = next(iter(DataLoader(ClipDataset(pairs), batch_size=4)))
    assert batch["id"] == ["clip0", "clip1", "clip2", "clip3"]
    assert batch["frames"].shape == (4, 20, 3, 64, 64) and batch["frames"].dtype == torch.uint8
    assert batch["waveform"].shape == (4, 2, 80000) and batch["waveform"].dtype == torch.float32
    assert batch["label_class"].shape == (4, 50) and batch["label_px"].shape == (4, 50, 2)
    assert batch["label_class"][:, 20].tolist() == [1, 0, 0, 1]
    assert (batch["label_class"][:, :5] == -1).all() and (batch["label_px"][:, 47:] == -1).all()
    clip = read_labelled_clip(*pairs[1])
    np.testing.assert_array_equal(batch["frames"][1].permute(0, 2, 3, 1), clip.frames)
    np.testing.assert_array_equal(batch["waveform"][1], clip.waveform)


def test_processes_of_a_loader_learn_of_the_next_epoch(pairs):
    dataset = ClipDataset(pairs, mirror="paired", seed=3)
    loader = DataLoader(dataset, batch_size=N_CLIPS, num_workers=1, persistent_workers=True)
    seen = []
    for epoch in range(3):
        dataset.set_epoch(epoch)
        batch = next(iter(loader))
        seen.append([heard_left(waveform.numpy()) for waveform in batch["waveform"]])
        label_left = (batch["label_px"][:, 20, 0] < CENTRE_PX).tolist()
        assert label_left == seen[-1]
    plainly = [heard_left(item["waveform"].numpy()) for item in (ClipDataset(pairs)[i] for i in range(N_CLIPS))]
    expected = [[left != is_mirrored(f"clip{i}", 3, epoch) for i, left in enumerate(plainly)] for epoch in range(3)]
    assert seen == expected and len({tuple(sides) for sides in seen}) > 1


def test_rows_for_ray_data_are_the_items_of_the_dataset(pairs):
    row = clip_row(path_rows(pairs)[2], mirror="paired", seed=3, epoch=1)
    dataset = ClipDataset(pairs, mirror="paired", seed=3)
    dataset.set_epoch(1)
    item = dataset[2]
    assert list(row) == list(item) == ["id", "frames", "waveform", "label_class", "label_px"]
    for name in list(row)[1:]:
        np.testing.assert_array_equal(row[name], item[name])


def test_a_clip_of_another_form_is_named(root, pairs, tmp_path):
    for folder in ("video_dev", "metadata_dev"):
        (tmp_path / folder).mkdir()
    write_source_clip(tmp_path, "short", 10, n_samples=79000)
    dataset = ClipDataset([*pairs[:1], *clip_paths(tmp_path, "dev")])
    with pytest.raises(ClipError, match=r"short\.mp4 holds frames 20x3x64x64, waveform 2x79000") as caught:
        dataset[1]
    assert caught.value.reason == "other_form"


def test_ray_data_streams_the_same_clips(root, ray_resources):
    import ray.data

    pairs = clip_paths(root, "dev")
    rows = ray.data.from_items(path_rows(pairs)).map(clip_row, fn_kwargs={"mirror": "paired", "seed": 3, "epoch": 1})
    dataset = ClipDataset(pairs, mirror="paired", seed=3)
    dataset.set_epoch(1)
    there = {item["id"]: item for item in dataset}
    streamed = list(rows.iter_rows())
    assert sorted(row["id"] for row in streamed) == sorted(there)
    for row in streamed:
        for name in ("frames", "waveform"):
            np.testing.assert_array_equal(row[name], there[row["id"]][name].numpy())
