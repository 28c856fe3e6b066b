"""The multimodal UNet of SAVGBench's joint method: one network that removes noise from video and stereo sound."""

import random
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from savg_ray.errors import UserError
from savg_ray.networks.cross_attention import CrossAttention
from savg_ray.networks.mm_layers import AUDIO_FACTOR, AudioConv, NamedGroupNorm, VideoConv3d
from savg_ray.networks.mm_residual import InitialBlock
from savg_ray.networks.mm_wiring import Wiring
from savg_ray.networks.packing import (
    packed_frames,
    packed_pictures,
    packed_sound,
    unpacked_frames,
    unpacked_pictures,
    unpacked_sound,
)
from savg_ray.networks.unet_config import MMUNetConfig
from savg_ray.networks.unet_parts import TimeEmbedding, silu, zeroed

Shifts = Sequence[int] | Sequence[Sequence[int]] | Tensor


class MMUNet(nn.Module):
    """Stereo MM-Diffusion (Ruan et al. 2023; SAVGBench, Shimada et al. 2024) with the official state dict.

    ``MMUNetConfig.official()`` has 133 676 293 parameters. Every cross-attention with a shift reads one number of
    ``shifts`` in each forward pass: one clip's result depends on its own shifts and on nothing else in the batch.

    Attributes:
        shift_keys: names of the blocks that read a shift, in the order in which they run.
        shift_generator: draws the shifts of calls that give none; ``net.shift_generator.seed(1010)`` gives the
            sequence of Python's ``random.seed(1010)``, which is the official one. It starts seeded with 0.
    """

    def __init__(self, config: MMUNetConfig) -> None:
        super().__init__()
        self.config = config
        self.shift_generator = random.Random(0)
        width = config.base_channels
        self.time_embed = TimeEmbedding(width, width)
        first = width * config.multipliers[0]
        wiring = Wiring(config)
        video_channels = config.video_channels * config.video_patch_px**2 * config.frame_patch
        audio_channels = config.audio_channels * config.audio_patch
        initial = InitialBlock(video_channels, audio_channels, first)
        self.input_blocks = nn.ModuleList([nn.ModuleList([initial]), *wiring.encoder()])
        self.middle_blocks = wiring.middle()
        self.output_blocks = nn.ModuleList(wiring.decoder())
        n_outputs = video_channels * (2 if config.learned_variance else 1)
        audio_out, video_out = zeroed(AudioConv(first, audio_channels)), zeroed(VideoConv3d(first, n_outputs))
        self.audio_out = nn.Sequential(NamedGroupNorm(first), nn.SiLU(), audio_out)
        self.video_out = nn.Sequential(NamedGroupNorm(first), nn.SiLU(), video_out)
        blocks = {name: block for name, block in self.named_modules() if isinstance(block, CrossAttention)}
        self.shift_keys = [name for name, block in blocks.items() if block.shifted]
        self._windows = [block.window for block in blocks.values()]
        self._shifted_windows = [block.window for block in blocks.values() if block.shifted]

    @property
    def shift_ranges(self) -> list[int]:
        """The largest legal shift of every block in ``shift_keys``, for clips of the configured length."""
        return self._largest_shifts(self.config.n_packed_frames)

    def draw_shifts(self, generator: random.Random, n_frames: int | None = None) -> list[int]:
        """Shifts of one forward pass as the official code draws them, in the order of ``shift_keys``."""
        return [
            generator.randint(0, largest) for largest in self._largest_shifts(n_frames or self.config.n_packed_frames)
        ]

    def forward(
        self, video: Tensor, audio: Tensor, timesteps: Tensor, shifts: Shifts | None = None
    ) -> tuple[Tensor, Tensor]:
        """The noise in ``video`` and in ``audio``.

        Args:
            video: (B, F, 3, H, W), noisy pixels around [-1, 1].
            audio: (B, 2, L), noisy samples around [-1, 1].
            timesteps: integers or floats (B,), used as they are; (1,) is shared by the batch and embedded once.
            shifts: integers (n,), or (B, n) for every clip its own, in the order of ``shift_keys``, each from 0 to
                F - window; None draws one set for the batch from ``shift_generator``.

        Returns:
            Video (B, F, 3, H, W), 6 channels with a learned variance, and audio (B, 2, L), in the inputs' dtypes.

        Raises:
            UserError: a size that the levels cannot halve, too few frames for a window, or bad shifts.
        """
        self.check_sizes(*video.shape[1:2], *video.shape[3:], audio.shape[2])
        shift = iter(self._shift_columns(shifts, len(video), video.shape[1] // self.config.frame_patch, video.device))
        embedding = self.time_embed(timesteps)
        dtype = self.input_blocks[0][0].audio_conv.audio_conv.weight.dtype
        config = self.config
        v = packed_frames(packed_pictures(video, config.video_patch_px), config.frame_patch)
        v = v.permute(0, 1, 3, 4, 2).to(dtype).contiguous()
        a = packed_sound(audio, config.audio_patch).transpose(1, 2).to(dtype).contiguous()
        skips = []
        for blocks in self.input_blocks:
            v, a = self._run(blocks, v, a, embedding, shift)
            skips.append((v, a))
        v, a = self._run(self.middle_blocks, v, a, embedding, shift)
        for blocks in self.output_blocks:
            video_skip, audio_skip = skips.pop()
            v, a = torch.cat((v, video_skip), dim=4), torch.cat((a, audio_skip), dim=2)
            v, a = self._run(blocks, v, a, embedding, shift)
        v, a = _head(self.video_out, v), _head(self.audio_out, a)
        v = unpacked_frames(v.permute(0, 1, 4, 2, 3), config.frame_patch)
        v, a = unpacked_pictures(v, config.video_patch_px), unpacked_sound(a.transpose(1, 2), config.audio_patch)
        return v.to(video.dtype), a.to(audio.dtype)

    def check_sizes(self, n_frames: int, height_px: int, width_px: int, n_samples: int) -> None:
        """Raises UserError, saying what is legal, for clips that the network cannot take."""
        n_halvings = len(self.config.multipliers) - 1
        side = 2**n_halvings * self.config.video_patch_px
        length = AUDIO_FACTOR**n_halvings * self.config.audio_patch
        if height_px % side or width_px % side or min(height_px, width_px) < side:
            raise UserError(
                f"The multimodal UNet cannot halve {height_px}×{width_px} pixels at every level: "
                f"height and width must be multiples of {side}."
            )
        if n_frames % self.config.frame_patch:
            raise UserError(
                f"The multimodal UNet packs {self.config.frame_patch} frames into one and got {n_frames}: "
                f"give clips of a multiple of {self.config.frame_patch} frames."
            )
        n_frames //= self.config.frame_patch
        if n_samples % length or n_samples < length * n_frames:
            raise UserError(
                f"The multimodal UNet cannot take {n_samples} samples with {n_frames} frames: the number of samples "
                f"must be a multiple of {length}, and at least {length} a frame."
            )
        if n_frames < max(self._windows, default=1):
            raise UserError(
                f"The multimodal UNet looks at {max(self._windows)} frames at once and got {n_frames}: "
                "give longer clips."
            )

    def _run(
        self, blocks: nn.ModuleList, video: Tensor, audio: Tensor, embedding: Tensor, shift: Iterator[Tensor]
    ) -> tuple[Tensor, Tensor]:
        for block in blocks:
            if isinstance(block, InitialBlock):
                video, audio = block(video, audio)
                continue
            if isinstance(block, CrossAttention):
                context = next(shift) if block.shifted else video.new_zeros(1, dtype=torch.long)
            else:
                context = embedding
            if self.config.recompute and torch.is_grad_enabled():
                # The shift is an input, so that the block computed again is the block whose loss was measured.
                video, audio = checkpoint(block, video, audio, context, use_reentrant=False)
            else:
                video, audio = block(video, audio, context)
        return video, audio

    def _largest_shifts(self, n_frames: int) -> list[int]:
        return [n_frames - window for window in self._shifted_windows]

    def _shift_columns(
        self, shifts: Shifts | None, n_clips: int, n_frames: int, device: torch.device
    ) -> tuple[Tensor, ...]:
        """One int64 (B or 1,) for each block that reads a shift."""
        n_shifts = len(self.shift_keys)
        if shifts is None:
            shifts = self.draw_shifts(self.shift_generator, n_frames)
        table = torch.as_tensor(shifts, dtype=torch.long)
        if table.shape not in ((n_shifts,), (n_clips, n_shifts)):
            raise UserError(
                f"shifts must be {n_shifts} integers, or {n_clips} rows of them, not of shape {tuple(table.shape)}."
            )
        table = torch.atleast_2d(table)
        # A look at values on another device would make it wait; there, the windows' circle takes any number.
        if table.device.type == "cpu" and n_shifts:
            largest = torch.tensor(self._largest_shifts(n_frames))
            if bool(((table < 0) | (table > largest)).any()):
                raise UserError(f"shifts must lie between 0 and these bounds, in order: {largest.tolist()}.")
        return table.to(device).unbind(1)


def _head(layers: nn.Sequential, x: Tensor) -> Tensor:
    norm, _, conv = layers
    return conv(silu(norm.whole(x)))
