"""Official checkpoints: networks whose state dicts have exactly the official keys, shapes and order.

Tools outside this repository call these names; they stay. Each returns a float32 module in evaluation mode, for
``load_state_dict(official, strict=True)``.
"""

from collections.abc import Mapping
from typing import Any

from torch import nn

from savg_ray.networks.audioclip import AudioClipAudio
from savg_ray.networks.i3d import I3D
from savg_ray.networks.mm_unet import MMUNet
from savg_ray.networks.seld import SeldNet
from savg_ray.networks.sr_unet import SRUNet
from savg_ray.networks.unet_config import MMUNetConfig, SRUNetConfig
from savg_ray.networks.yolox import YoloxTiny
from savg_ray.weights.fill import fill_deterministic

__all__ = [
    "build_audioclip_audio",
    "build_i3d",
    "build_mm_unet",
    "build_seld",
    "build_sr_unet",
    "build_yolox_tiny",
    "fill_deterministic",
]


def build_mm_unet(config: Mapping[str, Any]) -> nn.Module:
    """Base network: (video (B, F, 3, H, W), audio (B, 2, L), timesteps (B,), shifts) to the noise in both.

    ``config`` has the official scripts' argument names; see ``MMUNetConfig.from_dict``.
    """
    return MMUNet(MMUNetConfig.from_dict(config)).eval()


def build_sr_unet(config: Mapping[str, Any]) -> nn.Module:
    """Upsampler: (x (N, 3, H, W), timesteps (N,), low_res (N, 3, h, w)) to noise and variance (N, 6, H, W).

    ``config`` has the official scripts' argument names; see ``SRUNetConfig.from_dict``.
    """
    return SRUNet(SRUNetConfig.from_dict(config)).eval()


def build_i3d() -> nn.Module:
    """I3D-400: uint8 video (B, T, H, W, 3) to logits (B, 400), the official resize and scaling inside."""
    return I3D().eval()


def build_audioclip_audio() -> nn.Module:
    """AudioCLIP's audio tower: float32 waveform (B, 2, L) at 44.1 kHz, ``batch_statistics``, to (B, 1024)."""
    return AudioClipAudio().eval()


def build_seld() -> nn.Module:
    """Stereo SELD: features (B, 3, bins, frames) to activity logits and positions (B, 2, frames)."""
    return SeldNet().eval()


def build_yolox_tiny() -> nn.Module:
    """YOLOX-tiny: uint8 BGR frames (N, H, W, 3) to a list of (boxes_xyxy_px, scores, labels) a frame."""
    return YoloxTiny().eval()
