"""What a dataset build may be told; ``configs/dataset/`` holds its presets."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from savg_ray.media.writer import AudioCodec
from savg_ray.presets import CONFIGS, load_preset

PRESETS = CONFIGS / "dataset"
LABEL_RATE_HZ = 10
"""Label frames per second, in STARSS23 and in what is written."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GridConfig(_Section):
    """Every window of a regular grid, at every yaw of a regular grid."""

    first_start_frame: int = Field(ge=0)
    step_frames: int = Field(ge=1)
    first_yaw_deg: int = Field(ge=0, lt=360)
    yaw_step_deg: int = Field(ge=1, le=360)


class RandomConfig(_Section):
    """Windows and yaws drawn at random, recordings by their length."""

    n_clips: int = Field(ge=1)
    seed: int


class WindowsConfig(_Section):
    """Which windows and yaws are candidates; frames are label frames of 0.1 s."""

    length_frames: int = Field(ge=1)
    grid: GridConfig | None
    random: RandomConfig | None

    @model_validator(mode="after")
    def _one_way_to_choose(self) -> "WindowsConfig":
        if (self.grid is None) == (self.random is None):
            raise ValueError("exactly one of grid and random must be given, the other null")
        return self


class RulesConfig(_Section):
    """What a candidate must obey."""

    classes: tuple[int, ...] | None
    other_classes: Literal["drop", "ignore"]
    on_screen: bool
    no_overlap: bool
    min_active_frames: int = Field(ge=0)
    max_peak: float | None = Field(gt=0)


class SoundConfig(_Section):
    """What becomes of the sound."""

    rate_hz: int = Field(ge=1000)
    high_pass_hz: float | None = Field(gt=0)
    gain_db: float
    codec: AudioCodec

    @model_validator(mode="after")
    def _filter_below_half_the_rate(self) -> "SoundConfig":
        if self.high_pass_hz is not None and self.high_pass_hz >= self.rate_hz / 2:
            raise ValueError("high_pass_hz must be below half of rate_hz")
        return self


class PicturesConfig(_Section):
    """What becomes of the pictures; sizes are even, as H.264 needs them."""

    width_px: int = Field(ge=16, multiple_of=2)
    height_px: int = Field(ge=16, multiple_of=2)
    hfov_deg: float = Field(gt=0, lt=180)
    fps: float | None = Field(gt=0)
    pad_to_px: int | None

    @model_validator(mode="after")
    def _padding_makes_a_square(self) -> "PicturesConfig":
        if self.pad_to_px is not None and (self.pad_to_px != self.width_px or self.pad_to_px < self.height_px):
            raise ValueError("pad_to_px must be width_px, and not less than height_px: rows are added, not columns")
        return self


class DatasetConfig(_Section):
    """Everything that decides what a dataset is; ``configs/dataset/*.yaml`` says what each key means."""

    preset: str
    layout: Literal["savgbench", "dcase2025"]
    splits: dict[str, tuple[str, ...]] = Field(min_length=1)
    windows: WindowsConfig
    rules: RulesConfig
    sound: SoundConfig
    pictures: PicturesConfig
    recording_deadline_s: float = Field(default=3600.0, gt=0)
    workers: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _parts_in_one_split(self) -> "DatasetConfig":
        parts = [part for split in self.splits.values() for part in split]
        twice = sorted({part for part in parts if parts.count(part) > 1})
        if twice:
            raise ValueError(f"splits: {twice[0]} is named twice; a part belongs to one split")
        if self.rules.min_active_frames > self.windows.length_frames:
            raise ValueError("rules.min_active_frames is more than windows.length_frames; no clip could obey it")
        return self

    @property
    def window_s(self) -> float:
        """Length of a clip in seconds."""
        return self.windows.length_frames / LABEL_RATE_HZ

    @property
    def content(self) -> dict[str, Any]:
        """The keys that decide what is written, as plain data; how the work is spread is not among them."""
        return self.model_dump(mode="json", exclude={"preset", "recording_deadline_s", "workers"})


def load_dataset_config(preset: str, overrides: Path | None = None) -> DatasetConfig:
    """A preset of dataset building, with the keys of a YAML file laid over it.

    Raises:
        UserError: unknown preset, missing or malformed file, unknown key or a value out of range.
    """
    return load_preset(DatasetConfig, PRESETS, preset, overrides)
