"""The residual block of the multimodal UNet: both modalities, one shared time projection, attention behind."""

from typing import Literal

from torch import Tensor, nn

from savg_ray.networks.mm_layers import (
    AudioConv,
    NamedGroupNorm,
    PointwiseAudioConv,
    PointwiseVideoConv,
    VideoConv,
    grown_video,
    lengthened,
    shortened,
    shrunk_video,
)
from savg_ray.networks.unet_parts import SelfAttention, TimeLinear, silu, zeroed

Resampling = Literal["down", "up"] | None

_RESIZING = {"video": (shrunk_video, grown_video), "audio": (shortened, lengthened)}


class InitialBlock(nn.Module):
    """From pixels and samples to features."""

    def __init__(self, video_channels: int, audio_channels: int, out_channels: int) -> None:
        super().__init__()
        self.video_conv = VideoConv(video_channels, out_channels)
        self.audio_conv = AudioConv(audio_channels, out_channels)

    def forward(self, video: Tensor, audio: Tensor) -> tuple[Tensor, Tensor]:
        """(B, F, H, W, 3) and (B, L, 2) to (B, F, H, W, C) and (B, L, C)."""
        return self.video_conv(video), self.audio_conv(audio)


class ResidualBlock(nn.Module):
    """Two convolutions a modality, the second modulated by time; then self-attention where asked for.

    Resampling follows the first convolution (guided-diffusion resamples before it): video by 2 in height and width,
    audio by 4.

    Args:
        in_channels, out_channels: multiples of 32.
        embedding_width: channels of the time embedding.
        audio_dilation: of the first audio convolution.
        scale_shift: time scales and shifts the second normalisation's result; otherwise it is added before.
        n_heads: of every self-attention here.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        embedding_width: int,
        audio_dilation: int,
        *,
        scale_shift: bool,
        dropout: float,
        n_heads: int,
        resampling: Resampling = None,
        video_attention: bool = False,
        audio_attention: bool = False,
    ) -> None:
        super().__init__()
        self.scale_shift = scale_shift
        self.resampling = resampling
        self.video_attention = video_attention
        self.audio_attention = audio_attention
        self.video_in_layers = _in_layers(in_channels, VideoConv(in_channels, out_channels))
        self.audio_in_layers = _in_layers(in_channels, AudioConv(in_channels, out_channels, audio_dilation))
        n_modulations = 2 if scale_shift else 1
        self.emb_layers = nn.Sequential(nn.SiLU(), TimeLinear(embedding_width, n_modulations * out_channels))
        self.video_out_layers = _out_layers(out_channels, dropout, PointwiseVideoConv(out_channels, out_channels))
        self.audio_out_layers = _out_layers(out_channels, dropout, PointwiseAudioConv(out_channels, out_channels))
        same = in_channels == out_channels
        self.video_skip_connection = nn.Identity() if same else PointwiseVideoConv(in_channels, out_channels)
        self.audio_skip_connection = nn.Identity() if same else PointwiseAudioConv(in_channels, out_channels)
        if video_attention:
            self.spatial_attention_block = _self_attention(out_channels, n_heads)
            self.temporal_attention_block = _self_attention(out_channels, n_heads)
        if audio_attention:
            self.audio_attention_block = _self_attention(out_channels, n_heads)

    def forward(self, video: Tensor, audio: Tensor, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """(B, F, H, W, C), (B, L, C) and the time embedding (B or 1, E) to the same with C' channels, resampled."""
        time = self.emb_layers(embedding)
        video = self._residual("video", video, time)
        audio = self._residual("audio", audio, time)
        if self.video_attention:
            video = self._attended(video)
        if self.audio_attention:
            audio = self.audio_attention_block(audio.unsqueeze(2)).squeeze(2)
        return video, audio

    def _residual(self, modality: str, x: Tensor, time: Tensor) -> Tensor:
        shrunk, grown = _RESIZING[modality]
        skip = self.get_submodule(f"{modality}_skip_connection")
        norm, _, conv = self.get_submodule(f"{modality}_in_layers")
        h = conv(silu(norm.whole(x)), shrink=self.resampling == "down")
        if self.resampling == "down":
            x = shrunk(x)
        norm, _, dropout, conv = self.get_submodule(f"{modality}_out_layers")
        if self.scale_shift:
            h = norm.whole(h, time.chunk(2, dim=1))
        else:
            h = norm.whole(h + time.to(h.dtype).view(-1, *(1,) * (h.ndim - 2), h.shape[-1]))
        h = silu(h)
        if self.resampling != "up":
            return conv(dropout(h)).add_(skip(x))
        if self.training:
            return conv(dropout(grown(h))).add_(skip(grown(x)))
        # Repeated pixels have the same statistics and commute with all that follows but dropout.
        return grown(conv(h).add_(skip(x)))

    def _attended(self, video: Tensor) -> Tensor:
        b, f, h, w, c = video.shape
        frames = self.spatial_attention_block(video.reshape(b * f, h * w, 1, c))
        return self.temporal_attention_block(frames.reshape(b, f, h * w, c)).reshape(video.shape)


def _in_layers(channels: int, conv: nn.Module) -> nn.Sequential:
    return nn.Sequential(NamedGroupNorm(channels), nn.SiLU(), conv)


def _out_layers(channels: int, dropout: float, conv: nn.Module) -> nn.Sequential:
    return nn.Sequential(NamedGroupNorm(channels), nn.SiLU(), nn.Dropout(dropout), zeroed(conv))


def _self_attention(channels: int, n_heads: int) -> SelfAttention:
    return SelfAttention(NamedGroupNorm(channels), channels, n_heads, heads_outside=False)
