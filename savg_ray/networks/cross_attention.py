"""Windowed attention between video and audio: each frame looks at the sound around it, and the sound back."""

import torch
from torch import Tensor, nn

from savg_ray.networks.mm_layers import NamedGroupNorm, PointwiseAudioConv, PointwiseVideoConv
from savg_ray.networks.unet_parts import attended, multiplied, zeroed


class CrossAttention(nn.Module):
    """Random-shift based multi-modal attention (MM-Diffusion, Ruan et al. 2023, section 3.3).

    With F frames of P pixels and L samples, each frame owns floor(L / F) samples, the last one also those that
    remain. What frame i owns in one modality looks at what ``window`` frames from i + shift on own in the other, and
    past the end of the clip at its start.

    Args:
        channels: a multiple of 32 and of ``n_heads``.
        window: frames a query sees; not more than the clip has.
        shifted: whether the caller gives a shift at every call.
    """

    def __init__(self, channels: int, n_heads: int, window: int, shifted: bool) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.window = window
        self.shifted = shifted
        self.v_norm = NamedGroupNorm(channels)
        self.a_norm = NamedGroupNorm(channels)
        self.v_qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.a_qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.video_proj_out = zeroed(PointwiseVideoConv(channels, channels))
        self.audio_proj_out = zeroed(PointwiseAudioConv(channels, channels))

    def forward(self, video: Tensor, audio: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
        """Video (B, F, H, W, C) and audio (B, L, C) to the same; ``shift`` int64 (B or 1,), 0 to F - window."""
        f, h, w = video.shape[1:4]
        pixels, samples, remainder = h * w, audio.shape[1] // f, audio.shape[1] % f
        v_rows = self.v_norm.whole(video).flatten(1, 3)
        a_rows = self.a_norm.whole(audio)
        v_queries = _queries(self.v_qkv, v_rows, pixels, pixels)
        # Blocks that overlap by the remainder, because only the last one is read to its end.
        a_queries = _queries(self.a_qkv, a_rows, samples + remainder, samples)
        seen = self._attended(v_queries, self._windows(self.a_qkv, a_rows, shift, f, samples))
        heard = self._attended(a_queries, self._windows(self.v_qkv, v_rows, shift, f, pixels))
        heard = torch.cat((heard[:, :, :samples].flatten(1, 2), heard[:, -1, samples:]), dim=1)
        video = self.video_proj_out(seen).view(video.shape).add_(video)
        return video, self.audio_proj_out(heard).add_(audio)

    def _windows(self, qkv: nn.Conv1d, rows: Tensor, shift: Tensor, n_frames: int, step: int) -> Tensor:
        """Keys and values (B, F, window · step, 2C), for frame i those of the rows from (i + shift) · step on."""
        n_rows = (n_frames - 1 + self.window) * step
        index = (shift[:, None] * step + torch.arange(n_rows, device=rows.device)) % rows.shape[1]
        if len(index) == 1:
            circle = rows.index_select(1, index[0])
        else:
            circle = rows.gather(1, index.unsqueeze(2).expand(-1, -1, rows.shape[2]))
        c = rows.shape[2]
        circle = multiplied(circle, qkv.weight[c:].flatten(1), qkv.bias[c:])
        return circle.unfold(1, self.window * step, step).transpose(2, 3)

    def _attended(self, queries: Tensor, windows: Tensor) -> Tensor:
        """Queries (B, F, T, C) and windows (B, F, W, 2C) to (B, F, T, C)."""
        q = queries.unflatten(3, (self.n_heads, -1)).transpose(2, 3)
        k, v = windows.unflatten(3, (2, self.n_heads, -1)).permute(3, 0, 1, 4, 2, 5)
        out = attended(q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1))
        return out.transpose(1, 2).flatten(2).unflatten(0, queries.shape[:2])


def _queries(qkv: nn.Conv1d, rows: Tensor, size: int, step: int) -> Tensor:
    """Rows (B, T, C) to a view (B, F, size, C) of their queries, one block every ``step`` rows."""
    c = rows.shape[2]
    return multiplied(rows, qkv.weight[:c].flatten(1), qkv.bias[:c]).unfold(1, size, step).transpose(2, 3)
