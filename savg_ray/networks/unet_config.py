"""Shapes of the two diffusion networks, from plain arguments or from the official scripts' arguments."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from savg_ray.errors import UserError
from savg_ray.networks.official_arguments import OfficialArguments
from savg_ray.networks.unet_parts import N_GROUPS


@dataclass(frozen=True)
class MMUNetConfig:
    """Shape of the multimodal UNet; the defaults are those of the official SAVGBench checkpoint.

    Rates are downsampling factors of the picture's side (1, 2, 4, …) at which blocks attend. ``recompute`` trades
    time for memory in training: activations of a block are computed again in the backward pass. ``video_patch_px``,
    ``frame_patch`` and ``audio_patch`` are ours: the network works on squares of so many pixels a side, stretches of
    so many frames and stretches of so many samples as single places (`savg_ray.networks.packing`), from which rates
    and windows then count.
    """

    n_frames: int = 20
    height_px: int = 64
    width_px: int = 64
    n_samples: int = 80000
    video_channels: int = 3
    audio_channels: int = 2
    base_channels: int = 128
    multipliers: tuple[int, ...] = (1, 2, 3, 4)
    n_res_blocks: int = 2
    cross_attention_rates: tuple[int, ...] = (2, 4, 8)
    cross_attention_windows: tuple[int, ...] = (1, 4, 8)
    cross_attention_shift: bool = True
    video_attention_rates: tuple[int, ...] = (2, 4, 8)
    audio_attention_rates: tuple[int, ...] = ()
    n_heads: int = 4
    head_channels: int | None = 64
    scale_shift: bool = True
    learned_variance: bool = False
    dropout: float = 0.0
    recompute: bool = False
    video_patch_px: int = 1
    frame_patch: int = 1
    audio_patch: int = 1

    def __post_init__(self) -> None:
        _check_channels(self.base_channels, self.multipliers)
        _check_patch("video_patch", self.video_patch_px)
        _check_patch("frame_patch", self.frame_patch)
        _check_patch("audio_patch", self.audio_patch)
        if self.n_frames % self.frame_patch:
            raise UserError(
                f"frame_patch {self.frame_patch} does not divide clips of {self.n_frames} frames: give a divisor."
            )
        if len(self.cross_attention_rates) != len(self.cross_attention_windows):
            raise UserError(
                f"cross_attention_resolutions names {len(self.cross_attention_rates)} rates and "
                f"cross_attention_windows {len(self.cross_attention_windows)} windows: give one window for each rate."
            )
        widest = max(self.cross_attention_windows, default=1)
        if widest > self.n_packed_frames:
            raise UserError(
                f"cross_attention_windows asks for a window of {widest} frames in clips of {self.n_packed_frames}: "
                f"give windows of at most {self.n_packed_frames}."
            )
        for channels in {self.base_channels * m for m in self.multipliers}:
            for key, divisor in (("num_heads", self.n_heads), ("num_head_channels", self.head_channels or 1)):
                _check_heads(key, divisor, channels)

    @property
    def n_packed_frames(self) -> int:
        """Frames as the network sees them."""
        return self.n_frames // self.frame_patch

    @classmethod
    def official(cls, dropout: float = 0.0, recompute: bool = False) -> "MMUNetConfig":
        """The released SAVGBench base network; it was trained with dropout 0.1."""
        return cls(dropout=dropout, recompute=recompute)

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> "MMUNetConfig":
        """From arguments as the official scripts name them; those left out keep the official values.

        ``video_patch``, ``frame_patch`` and ``audio_patch`` are keys of our own.

        Raises:
            UserError: a key that we do not know, or a value that the network has no code for.
        """
        given = OfficialArguments("multimodal UNet", config, _MM_KEYS)
        video_size = given.integers("video_size", (20, 3, 64, 64), count=4)
        audio_size = given.integers("audio_size", (2, 80000), count=2)
        multipliers = given.integers("channel_mult", ())
        shape = cls(
            n_frames=video_size[0],
            video_channels=video_size[1],
            height_px=video_size[2],
            width_px=video_size[3],
            audio_channels=audio_size[0],
            n_samples=audio_size[1],
            base_channels=given.integer("num_channels", 128),
            multipliers=multipliers or _multipliers("video_size", video_size[3]),
            n_res_blocks=given.integer("num_res_blocks", 2),
            cross_attention_rates=given.integers("cross_attention_resolutions", (2, 4, 8)),
            cross_attention_windows=given.integers("cross_attention_windows", (1, 4, 8)),
            cross_attention_shift=given.flag("cross_attention_shift", True),
            video_attention_rates=given.integers("video_attention_resolutions", (2, 4, 8)),
            audio_attention_rates=given.integers("audio_attention_resolutions", ()),
            n_heads=given.integer("num_heads", 4),
            head_channels=_none_if_minus_one(given.integer("num_head_channels", 64)),
            scale_shift=given.flag("use_scale_shift_norm", True),
            learned_variance=given.flag("learn_sigma", False),
            dropout=given.share("dropout", 0.0),
            recompute=given.flag("use_checkpoint", False),
            video_patch_px=given.integer("video_patch", 1),
            frame_patch=given.integer("frame_patch", 1),
            audio_patch=given.integer("audio_patch", 1),
        )
        given.only("video_type", "2d+1d")
        given.only("audio_type", "1d")
        given.only("resblock_updown", True)
        given.only("class_cond", False)
        given.only("use_fp16", False)
        given.only("num_heads_upsample", -1, shape.n_heads)
        return shape


@dataclass(frozen=True)
class SRUNetConfig:
    """Shape of the super-resolution UNet; the defaults are those of the official 64 to 256 pixel upsampler.

    Rates are downsampling factors at which blocks attend. ``resample_in_blocks``: residual blocks change the size,
    otherwise convolutions between them. ``patch_px`` is ours: the network works on squares of so many pixels a side
    as single places (`savg_ray.networks.packing`), from which rates then count.
    """

    image_channels: int = 3
    base_channels: int = 192
    multipliers: tuple[int, ...] = (1, 1, 2, 2, 4, 4)
    n_res_blocks: int = 2
    attention_rates: tuple[int, ...] = (8, 16, 32)
    n_heads: int = 4
    head_channels: int | None = None
    scale_shift: bool = True
    resample_in_blocks: bool = True
    learned_variance: bool = True
    dropout: float = 0.0
    recompute: bool = False
    patch_px: int = 1

    def __post_init__(self) -> None:
        _check_channels(self.base_channels, self.multipliers)
        _check_patch("patch", self.patch_px)
        for channels in {self.base_channels * m for m in self.multipliers}:
            for key, divisor in (("num_heads", self.n_heads), ("num_head_channels", self.head_channels or 1)):
                _check_heads(key, divisor, channels)

    @classmethod
    def official(cls, dropout: float = 0.0, recompute: bool = False) -> "SRUNetConfig":
        """The released SAVGBench upsampler."""
        return cls(dropout=dropout, recompute=recompute)

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> "SRUNetConfig":
        """From arguments as the official scripts name them; those left out keep the official values.

        ``attention_resolutions`` are taken as rates, as the official code does. ``small_size`` changes nothing, and
        ``patch`` is a key of our own.

        Raises:
            UserError: a key that we do not know, or a value that the network has no code for.
        """
        given = OfficialArguments("super-resolution UNet", config, _SR_KEYS)
        given.integer("small_size", 64)
        large_size = given.integer("large_size", 256)
        multipliers = given.integers("channel_mult", ())
        shape = cls(
            base_channels=given.integer("num_channels", 192),
            multipliers=multipliers or _multipliers("large_size", large_size),
            n_res_blocks=given.integer("num_res_blocks", 2),
            attention_rates=given.integers("attention_resolutions", (8, 16, 32)),
            n_heads=given.integer("num_heads", 4),
            head_channels=_none_if_minus_one(given.integer("num_head_channels", -1)),
            scale_shift=given.flag("use_scale_shift_norm", True),
            resample_in_blocks=given.flag("resblock_updown", True),
            learned_variance=given.flag("learn_sigma", True),
            dropout=given.share("dropout", 0.0),
            recompute=given.flag("use_checkpoint", False),
            patch_px=given.integer("patch", 1),
        )
        given.only("class_cond", False)
        given.only("use_fp16", False)
        given.only("num_heads_upsample", -1, shape.n_heads)
        return shape


# What `from_dict` takes; keys of our own among them.
_MM_KEYS = (
    "video_size", "audio_size", "channel_mult", "num_channels", "num_res_blocks", "cross_attention_resolutions",
    "cross_attention_windows", "cross_attention_shift", "video_attention_resolutions", "audio_attention_resolutions",
    "num_heads", "num_head_channels", "use_scale_shift_norm", "learn_sigma", "dropout", "use_checkpoint",
    "video_patch", "frame_patch", "audio_patch", "video_type", "audio_type", "resblock_updown",
    "class_cond", "use_fp16", "num_heads_upsample",
)  # fmt: skip
_SR_KEYS = (
    "small_size", "large_size", "channel_mult", "num_channels", "num_res_blocks", "attention_resolutions",
    "num_heads", "num_head_channels", "use_scale_shift_norm", "resblock_updown", "learn_sigma", "dropout",
    "use_checkpoint", "patch", "class_cond", "use_fp16", "num_heads_upsample",
)  # fmt: skip

_MULTIPLIERS = {64: (1, 2, 3, 4), 128: (1, 1, 2, 3, 4), 256: (1, 1, 2, 2, 4, 4), 512: (1, 1, 2, 2, 4, 4)}


def _multipliers(key: str, side_px: int) -> tuple[int, ...]:
    if side_px not in _MULTIPLIERS:
        sides = ", ".join(map(str, _MULTIPLIERS))
        raise UserError(f"{key} {side_px} has no channel_mult of its own (only {sides} have): give channel_mult.")
    return _MULTIPLIERS[side_px]


def _none_if_minus_one(value: int) -> int | None:
    return None if value == -1 else value


def _check_channels(base: int, multipliers: Iterable[int]) -> None:
    multipliers = tuple(multipliers)
    if base < 1 or base % N_GROUPS or not multipliers or min(multipliers) < 1:
        raise UserError(
            f"num_channels {base} with channel_mult {multipliers} does not fit groups of {N_GROUPS}: "
            f"give a multiple of {N_GROUPS} and whole multipliers from 1 on."
        )


def _check_patch(key: str, size: int) -> None:
    if size < 1:
        raise UserError(f"{key} {size} is no size of a patch: give a whole number from 1 on.")


def _check_heads(key: str, divisor: int, channels: int) -> None:
    if divisor < 1 or channels % divisor:
        raise UserError(
            f"{key} {divisor} does not divide {channels} channels: give a divisor of every level's channels."
        )
