"""Small STARSS23 folders, made on the spot: a bright spot that sounds, seen and heard from all around."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from savg_ray.dataset.config import DatasetConfig, load_dataset_config
from savg_ray.spatial.ambisonics import encode_gains
from tests.media.files import write_media

RATE_HZ = 24_000
WIDTH_PX, HEIGHT_PX = 240, 120


@dataclass(frozen=True)
class Scene:
    """One source that stays where it is; ``rows`` (frame, class, source, azimuth, elevation, distance) or None for
    a label in every frame."""

    seconds: float = 8.0
    azimuth_deg: int = 30
    elevation_deg: int = 0
    label: int = 0
    level: float = 0.002
    video_seconds: float | None = None
    fps: float = 10.0
    seed: int = 0
    rows: list[tuple[int, ...]] | None = field(default=None)

    @property
    def labels(self) -> list[tuple[int, ...]]:
        if self.rows is not None:
            return self.rows
        frames = range(int(self.seconds * 10))
        return [(frame, self.label, 1, self.azimuth_deg, self.elevation_deg, 200) for frame in frames]


def write_recording(root: Path, part: str, name: str, scene: Scene) -> None:
    for folder, suffix in (("foa_dev", "wav"), ("video_dev", "mp4"), ("metadata_dev", "csv")):
        (root / folder / part).mkdir(parents=True, exist_ok=True)
        path = root / folder / part / f"{name}.{suffix}"
        {"wav": write_sound, "mp4": write_video, "csv": write_labels}[suffix](path, scene)


def write_sound(path: Path, scene: Scene) -> None:
    noise = np.random.default_rng(scene.seed).uniform(-1, 1, round(scene.seconds * RATE_HZ))
    foa = encode_gains(scene.azimuth_deg, scene.elevation_deg)[:, None] * scene.level * noise
    soundfile.write(str(path), foa.T, RATE_HZ, subtype="PCM_16")


def write_video(path: Path, scene: Scene) -> None:
    seconds = scene.seconds if scene.video_seconds is None else scene.video_seconds
    write_media(path, spot_pictures(round(seconds * scene.fps), scene), None, fps=scene.fps)


def spot_pictures(n_frames: int, scene: Scene) -> np.ndarray:
    """A white disc of 3 degrees' radius on grey that grows brighter by two levels a frame."""
    column = (np.arange(WIDTH_PX) + 0.5) / WIDTH_PX * 360 - 180
    row = 90 - (np.arange(HEIGHT_PX) + 0.5) / HEIGHT_PX * 180
    away = (column[None] + scene.azimuth_deg + 180) % 360 - 180
    disc = away**2 + (row[:, None] - scene.elevation_deg) ** 2 <= 3**2
    frames = np.empty((n_frames, HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    frames[:] = (40 + 2 * (np.arange(n_frames) % 80))[:, None, None, None]
    frames[:, disc] = 255
    return frames


def write_labels(path: Path, scene: Scene) -> None:
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in scene.labels))


def config_with(preset: str = "savgbench", **sections: dict) -> DatasetConfig:
    """A preset with some keys of some sections changed."""
    base = load_dataset_config(preset).model_dump()
    for name, keys in sections.items():
        base[name] = {**base[name], **keys} if isinstance(keys, dict) and name != "splits" else keys
    return DatasetConfig.model_validate(base)


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file that is part of a dataset, by its path."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}
