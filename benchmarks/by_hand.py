"""The evaluation as a person would script it: one clip at a time, one loop per metric, nothing shared between them.

The networks and the arithmetic of the metrics are ours, so that a comparison shows the stream and nothing else.
"""

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from savg_ray.compat import build_audioclip_audio, build_i3d, build_seld, build_yolox_tiny, fill_deterministic
from savg_ray.media.reader import read_clip
from savg_ray.media.resample import pcm16
from savg_ray.metrics.temporal_av_align import temporal_av_align
from savg_ray.networks import audioclip, i3d, seld, yolox
from savg_ray.seld.events import clip_windows, event_rows
from savg_ray.seld.features import RATE_HZ

_SELD_BATCH = 8
_MARGIN = 4


class ByHand:
    """Scores clip after clip on the CPU; networks with the weights that filled runs use."""

    def __init__(self) -> None:
        self.i3d = _ready(fill_deterministic(build_i3d(), i3d.FILL_SALT, i3d.FILL_GAIN))
        self.audioclip = _filled(build_audioclip_audio(), audioclip)
        self.seld = _filled(build_seld(), seld)
        self.yolox = _filled(build_yolox_tiny(), yolox)

    def score(self, path: Path) -> dict[str, np.ndarray]:
        """What preset ``savg`` finds out about a clip, under the names of its stages."""
        with torch.no_grad():
            return {
                "video_features": self._video_features(path),
                "audio_features": self._audio_features(path),
                "seld": self._sound_events(path),
                "detections": self._persons(path),
                "temporal": self._alignment(path),
            }

    def _video_features(self, path: Path) -> np.ndarray:
        return self.i3d(torch.from_numpy(read_clip(path).frames)[None]).numpy()

    def _audio_features(self, path: Path) -> np.ndarray:
        sound = _sound(path, audioclip.RATE_HZ).astype(np.float32)
        return self.audioclip(torch.from_numpy(sound)[None]).numpy()

    def _sound_events(self, path: Path) -> np.ndarray:
        clip = clip_windows(_sound(path, RATE_HZ) / np.float32(32768), official=False)
        # As the reference does: a batch has eight places, and those left over are computed all the same.
        batch = np.zeros((_SELD_BATCH, *clip.features.shape[1:]), np.float32)
        batch[: len(clip.features)] = clip.features
        outputs = self.seld(torch.from_numpy(batch))
        logits, position = (o[: len(clip.features), :, _MARGIN:-_MARGIN].numpy() for o in outputs)
        return event_rows(logits, position, clip.windows, clip.n_csv_frames)

    def _persons(self, path: Path) -> np.ndarray:
        capture = cv2.VideoCapture(str(path))
        rows = []
        for frame in range(int(capture.get(cv2.CAP_PROP_FRAME_COUNT))):
            capture.set(cv2.CAP_PROP_POS_FRAMES, frame)
            _, picture = capture.read()
            boxes = yolox.person_boxes(self.yolox(picture[None])[0]).numpy()
            rows += [[frame, yolox.PERSON, *box] for box in boxes.astype(float).tolist()]
        capture.release()
        return np.array(rows).reshape(-1, 6)

    def _alignment(self, path: Path) -> np.ndarray:
        clip = read_clip(path)
        sound = _sound(path, RATE_HZ) / np.float32(32768)
        score = temporal_av_align(clip.frames, clip.fps, sound, RATE_HZ, one_to_one=True)
        return np.array([np.nan if score is None else score])


def _sound(path: Path, rate_hz: int) -> np.ndarray:
    clip = read_clip(path)
    return pcm16(clip.waveform, clip.rate_hz, rate_hz)


def _filled(network: nn.Module, module: object) -> nn.Module:
    exceptions = module.fill_exceptions(network)
    return _ready(fill_deterministic(network, module.FILL_SALT, module.FILL_GAIN, exceptions))


def _ready(network: nn.Module) -> nn.Module:
    return network.eval().requires_grad_(False)
