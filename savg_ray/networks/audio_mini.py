"""A small network whose 64 features of a clip's stereo sound are what fad_mini compares."""

import torch
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks

from savg_ray.errors import ClipError

N_FEATURES = 64
FILL_SALT = 5002
FILL_GAIN = 2**0.5
RATE_HZ = 16000
MIN_SAMPLES = 16000

_N_FFT, _HOP = 512, 160
_N_MELS = 64
_WIDTHS = (16, 32, 64, 64)
# Power below this is inaudible in 16-bit sound; the levels of clips then have about mean 0 and deviation 1.
_QUIET, _CENTRE, _RANGE = 1e-6, -6.0, 4.0


class AudioMini(nn.Module):
    """Convolutions over log-mel spectrograms of left and right, and of how left and right differ.

    Means and deviations over time of the last layer become the features, without an activation.
    """

    def __init__(self) -> None:
        super().__init__()
        # Constants, not weights: they are no part of the state dict, and have values where weights have only shapes.
        with torch.device("cpu"):
            filters = melscale_fbanks(_N_FFT // 2 + 1, 50.0, RATE_HZ / 2, _N_MELS, RATE_HZ)
        self.register_buffer("filters", filters, persistent=False)
        self.register_buffer("window", torch.hann_window(_N_FFT), persistent=False)
        layers: list[nn.Module] = []
        n_in = 3
        for width in _WIDTHS:
            convolution = nn.Conv2d(n_in, width, 3, stride=2, padding=1, bias=False)
            layers += [convolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            n_in = width
        self.layers = nn.Sequential(*layers)
        n_bands = _N_MELS // 2 ** len(_WIDTHS)
        self.features = nn.Linear(2 * n_bands * n_in, N_FEATURES)

    def forward(self, waveform: Tensor) -> Tensor:
        """Features of stereo sound.

        Args:
            waveform: float32 (B, 2, L) in [-1, 1] at 16 kHz, at least a second.

        Returns:
            float32 (B, 64).

        Raises:
            ClipError: ``not_stereo`` for another shape, ``too_short`` for less than a second.
        """
        x = self.layers(self.levels(waveform)).float()
        deviation = (x.var(dim=3, correction=0) + 1e-6).sqrt()
        with torch.autocast(x.device.type, enabled=False):
            return self.features(torch.cat([x.mean(dim=3), deviation], dim=1).flatten(1))

    def levels(self, waveform: Tensor) -> Tensor:
        """Log-mel levels of left and right, and left minus right: float32 (B, 3, 64, 1 + L // 160)."""
        if waveform.ndim != 3 or waveform.shape[1] != 2:
            raise ClipError(
                "not_stereo", f"AudioMini needs sound (B, 2, L), not of shape {tuple(waveform.shape)}; write stereo."
            )
        if waveform.shape[2] < MIN_SAMPLES:
            raise ClipError(
                "too_short", f"AudioMini needs at least {MIN_SAMPLES} samples at 16 kHz, got {waveform.shape[2]}."
            )
        with torch.autocast(waveform.device.type, enabled=False):
            spectrum = torch.stft(
                waveform.float().flatten(0, 1), _N_FFT, _HOP, window=self.window, return_complex=True
            )
            power = spectrum.real.square() + spectrum.imag.square()
            mel = (power.transpose(1, 2) @ self.filters).transpose(1, 2).unflatten(0, (-1, 2))
            levels = (torch.log(mel + _QUIET) - _CENTRE) / _RANGE
            return torch.cat([levels, levels[:, :1] - levels[:, 1:]], dim=1)
