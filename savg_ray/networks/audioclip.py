"""The audio tower of AudioCLIP, whose raw 1024-d embedding is the feature of FAD."""

import math
from collections.abc import Iterable

import numpy as np
import torch
import torch.nn.functional as F
from scipy.signal import get_window
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck

from savg_ray.errors import ClipError
from savg_ray.networks.convolution import channels_last_on_cpu, convolve
from savg_ray.weights.fill import normal_array

FILL_SALT = 2000
FILL_GAIN = 2**0.5
RATE_HZ = 44100
WINDOW = 1654
HOP = 561
N_FFT = 2048
N_BINS = 1025
# The last two bins are dropped, the others become the three "colour" channels of a picture.
N_BANDS, BAND_BINS = 3, 341
EMBEDDING = 1024


def scale_waveform(waveform: Tensor) -> Tensor:
    """The official amplitude scaling ((x + 32768) · 2) / 65535 - 1, float32 in this order, any shape.

    It was meant for int16 values; on [-1, 1] its float32 rounding quantises the waveform to about 330 levels, and
    another order or precision moves the embedding by more than clips differ.
    """
    x = waveform.to(torch.float32)
    # A tensor on the device: CUDA turns division by a Python number into a multiplication, which rounds otherwise.
    return (x + 32768) * 2 / torch.full((), 65535.0, device=x.device) - 1


def windowed_frames(waveform: Tensor, window: Tensor) -> Tensor:
    """Overlapping frames times the window: (N, L) -> (N, n, 1654), n = 1 + ceil((L - 1654) / 561), at least 1.

    Zeros complete the signal on both sides, the smaller half in front.
    """
    length = waveform.shape[-1]
    n_frames = 1 + max(0, math.ceil((length - WINDOW) / HOP))
    missing = (n_frames - 1) * HOP + WINDOW - length
    padded = F.pad(waveform, (missing // 2, missing - missing // 2))
    return padded.unfold(-1, WINDOW, HOP) * window


def decibel_bands(power: Tensor) -> Tensor:
    """Power spectra, float32 (N, n, 1023), as pictures (N, 3, 341, n) in dB; -180 dB where power is not positive."""
    level_db = 10 * torch.log10(torch.where(power > 0, power, 1e-18).to(torch.float64))
    return level_db.to(torch.float32).transpose(1, 2).unflatten(1, (N_BANDS, BAND_BINS))


class FrequencyBSpline(nn.Module):
    """Projection on 1025 complex frequency B-spline wavelets (Guzhov et al. 2021, https://arxiv.org/abs/2104.11587).

    The untrained parameters make the wavelets plain complex exponentials. The kernel is a constant of the weights: it
    is rebuilt when they change or move, is no part of the state dict, and passes no gradient to the parameters.

    Frames and kernel are float32 as in the official network, their products are summed in float64: many bins nearly
    cancel, what float32 sums leave in them depends on the device and the batch size, and the decibels keep it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.m = nn.Parameter(torch.zeros(N_BINS))
        self.fb = nn.Parameter(torch.ones(N_BINS))
        self.fc = nn.Parameter(torch.arange(N_BINS, dtype=torch.float32))
        # The checkpoint has an entry for a bias, of size zero.
        self.bias = nn.Parameter(torch.empty(0))
        self._cache: tuple[tuple, list[Tensor], Tensor] | None = None

    @torch.no_grad()
    def kernel(self) -> Tensor:
        """The wavelets: float32 (1025, 2048, 2), real and imaginary part, always on the CPU.

        One place of computation gives every device the same numbers.
        """
        m, fb, fc = (p.detach().to("cpu", torch.float32)[:, None] for p in (self.m, self.fb, self.fc))
        t = math.pi * torch.linspace(-1, 1, N_FFT) + 1e-8
        a = fb * t / (m + 1e-8)
        c = torch.sin(a) / a
        # The m-th power of a real base that may be negative, times exp(-i fc t).
        magnitude, phase = torch.pow(c.square(), m / 2), m * torch.atan2(torch.zeros_like(c), c)
        real, imaginary = magnitude * torch.cos(phase), magnitude * torch.sin(phase)
        cosine, sine = torch.cos(fc * t), torch.sin(-fc * t)
        product = torch.stack((real * cosine - imaginary * sine, real * sine + imaginary * cosine), dim=-1)
        return fb.sqrt()[..., None] * product / math.sqrt(N_FFT)

    def _projection(self) -> Tensor:
        """The part of the kernel that meets data: float64 (2 · 1023, 1654) on the parameters' device, cached."""
        parameters = (self.m, self.fb, self.fc)
        if any(p.is_inference() for p in parameters):
            # Such tensors do not count their changes, so a stale kernel could not be told.
            return self._build_projection()
        stamp = tuple((p.data_ptr(), p._version, p.device) for p in parameters)
        if self._cache is None or self._cache[0] != stamp:
            # Holding the storages keeps their addresses from being given to other values.
            self._cache = (stamp, [p.detach() for p in parameters], self._build_projection())
        return self._cache[2]

    def _build_projection(self) -> Tensor:
        with torch.inference_mode(False):
            # Frames are padded with zeros to 2048 around their centre: those columns add nothing.
            front = (N_FFT - WINDOW) // 2
            used = self.kernel()[: N_BANDS * BAND_BINS, front : front + WINDOW]
            return torch.cat((used[..., 0], used[..., 1])).to(self.m.device, torch.float64)

    def forward(self, frames: Tensor) -> Tensor:
        """Power of the projections without the last two bins: float32 (N, n, 1654) -> float32 (N, n, 1023)."""
        real, imaginary = F.linear(frames.to(torch.float64), self._projection()).chunk(2, dim=-1)
        return (real.square() + imaginary.square()).to(torch.float32)


def _normalise(norm: nn.BatchNorm2d, x: Tensor, batch_statistics: bool) -> Tensor:
    """Batch norm by the batch's own mean and biased variance or by the running ones, which never change here."""
    mean, variance = _statistics(x) if batch_statistics else (norm.running_mean, norm.running_var)
    return F.batch_norm(x, mean, variance, norm.weight, norm.bias, eps=norm.eps)


def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    # In two passes: PyTorch's own statistics of channels-last tensors are five times as far from the exact ones.
    pixels = x.to(torch.float32).permute(0, 2, 3, 1).flatten(0, 2)
    mean = pixels.mean(dim=0)
    return mean, (pixels - mean).square_().mean(dim=0)


class Block(Bottleneck):
    """ResNeXt 32x4d bottleneck whose statistics the caller chooses."""

    def __init__(self, n_in: int, planes: int, stride: int) -> None:
        n_out = planes * self.expansion
        downsample = None
        if stride != 1 or n_in != n_out:
            downsample = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))
        super().__init__(n_in, planes, stride, downsample, groups=32, base_width=4)

    def forward(self, x: Tensor, batch_statistics: bool) -> Tensor:
        """(N, n_in, H, W) -> (N, 4 · planes, H', W')."""
        shortcut = x
        if self.downsample is not None:
            conv, norm = self.downsample
            shortcut = _normalise(norm, convolve(conv, x), batch_statistics)
        x = F.relu(_normalise(self.bn1, convolve(self.conv1, x), batch_statistics), inplace=True)
        x = F.relu(_normalise(self.bn2, convolve(self.conv2, x), batch_statistics), inplace=True)
        return F.relu(_normalise(self.bn3, convolve(self.conv3, x), batch_statistics) + shortcut, inplace=True)


class Attention(nn.Module):
    """Gate in (0, 1) for a stage's output, computed from the stage's input."""

    def __init__(self, n_in: int, n_out: int, kernel: tuple[int, int]) -> None:
        super().__init__()
        self.conv_depth = nn.Conv2d(n_in, n_in, kernel, padding=(kernel[0] // 2, kernel[1] // 2), groups=n_in)
        self.conv_point = nn.Conv2d(n_in, n_out, 1)
        self.bn = nn.BatchNorm2d(n_out)

    def forward(self, x: Tensor, size: Iterable[int], batch_statistics: bool) -> Tensor:
        """(N, n_in, H, W) -> (N, n_out, *size)."""
        x = convolve(self.conv_point, convolve(self.conv_depth, F.adaptive_max_pool2d(x, tuple(size))))
        return torch.sigmoid(_normalise(self.bn, x, batch_statistics))


class AudioTower(nn.Module):
    """ESResNeXt-fbsp: spectral front end, ResNeXt-50 32x4d with attention after every stage, one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        window = get_window("blackmanharris", WINDOW, fftbins=True).astype(np.float32)
        self.register_buffer("window", torch.from_numpy(window))
        self.conv1 = nn.Conv2d(N_BANDS, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = _layer(64, 64, n_blocks=3, stride=1)
        self.att1 = Attention(64, 256, (3, 1))
        self.layer2 = _layer(256, 128, n_blocks=4, stride=2)
        self.att2 = Attention(256, 512, (1, 5))
        self.layer3 = _layer(512, 256, n_blocks=6, stride=2)
        self.att3 = Attention(512, 1024, (3, 1))
        self.layer4 = _layer(1024, 512, n_blocks=3, stride=2)
        self.att4 = Attention(1024, 2048, (1, 5))
        self.att5 = Attention(2048, 2048, (3, 5))
        self.fc = nn.Linear(2048, EMBEDDING)
        self.fbsp = FrequencyBSpline()

    def spectrogram(self, waveform: Tensor) -> Tensor:
        """float32 (N, L) in [-1, 1] -> float32 pictures (N, 3, 341, n) in dB, also under autocast."""
        with torch.autocast(waveform.device.type, enabled=False):
            return decibel_bands(self.fbsp(windowed_frames(scale_waveform(waveform), self.window)))

    def features(self, picture: Tensor, batch_statistics: bool) -> Tensor:
        """(N, 3, 341, n) -> feature map (N, 2048, 11, ceil(n / 32))."""
        x = F.relu(_normalise(self.bn1, self.conv1(channels_last_on_cpu(picture)), batch_statistics), inplace=True)
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        for layer, attention in (
            (self.layer1, self.att1),
            (self.layer2, self.att2),
            (self.layer3, self.att3),
            (self.layer4, self.att4),
        ):
            y = x
            for block in layer:
                y = block(y, batch_statistics)
            x = y * attention(x, y.shape[2:], batch_statistics)
        return x

    def pooled(self, features: Tensor, batch_statistics: bool) -> Tensor:
        """Gated average of a feature map (N, 2048, H, W) over its positions, (N, 2048)."""
        gate = self.att5(features, (1, 1), batch_statistics)
        return features.mean(dim=(2, 3)) * gate.flatten(1)


def _layer(n_in: int, planes: int, n_blocks: int, stride: int) -> nn.ModuleList:
    blocks = [Block(n_in, planes, stride)]
    blocks += [Block(planes * Block.expansion, planes, 1) for _ in range(n_blocks - 1)]
    return nn.ModuleList(blocks)


class AudioClipAudio(nn.Module):
    """AudioCLIP's audio embedding (Guzhov et al. 2022, https://arxiv.org/abs/2106.13043), not normalised, for FAD.

    The state dict is the ``audio.*`` part of the official checkpoint. How batch norm works is decided by
    ``batch_statistics`` alone; ``train()`` and ``eval()`` change nothing.

    Under bfloat16 autocast the spectrogram stays float32, but with filler weights the network's rounding moves an
    embedding about as far as another clip would.
    """

    def __init__(self) -> None:
        super().__init__()
        self.audio = AudioTower()

    def forward(self, waveform: Tensor, batch_statistics: bool = False) -> Tensor:
        """Embeddings of clips with any number of audio channels, which are summed before the last layer.

        Args:
            waveform: float32 (B, C, L) at 44.1 kHz in [-1, 1].
            batch_statistics: normalise by the mean and biased variance of this batch, separately for every audio
                channel, as the official evaluation does; an embedding then depends on the rest of its batch.

        Returns:
            float32 (B, 1024).

        Raises:
            ClipError: ``bad_audio`` when ``waveform`` is not (B, C, L) with C, L > 0; ``single_clip_batch`` when
                ``batch_statistics`` meets a batch of one, which has no variance.
        """
        if waveform.ndim != 3 or 0 in waveform.shape[1:]:
            raise ClipError(
                "bad_audio",
                f"AudioCLIP needs a waveform (B, C, L) with at least one channel and sample, not "
                f"{tuple(waveform.shape)}: use clips with sound.",
            )
        batch, n_channels, _ = waveform.shape
        if batch_statistics and batch == 1:
            raise ClipError(
                "single_clip_batch",
                "AudioCLIP with batch statistics needs at least two clips in a batch: score more clips at once or "
                "use running statistics.",
            )
        tower = self.audio
        pictures = tower.spectrogram(waveform.flatten(0, 1))
        if batch_statistics:
            channels = pictures.unflatten(0, (batch, n_channels)).unbind(1)
            pooled = sum(tower.pooled(tower.features(picture, True), True) for picture in channels)
        else:
            by_channel = tower.pooled(tower.features(pictures, False), False)
            pooled = by_channel.unflatten(0, (batch, n_channels)).sum(dim=1)
        return tower.fc(pooled).to(torch.float32)


def fill_exceptions(module: AudioClipAudio) -> dict[str, np.ndarray]:
    """Entries for ``fill_deterministic`` that keep the front end alive: the real window, wavelets of all pitches."""
    state = module.state_dict()

    def noise(key: str) -> np.ndarray:
        return normal_array(key, tuple(state[key].shape), FILL_SALT)

    return {
        "audio.window": state["audio.window"].cpu().numpy(),
        "audio.fbsp.m": np.float32(0.2) * np.abs(noise("audio.fbsp.m")),
        "audio.fbsp.fb": np.exp(np.float32(0.1) * noise("audio.fbsp.fb")),
        "audio.fbsp.fc": np.arange(N_BINS, dtype=np.float32) + np.float32(0.1) * noise("audio.fbsp.fc"),
    }
