"""YOLOX-tiny as mmdet 3.3.0 and mmcv 2.1.0 compute it: the official detector, to check ours against."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from savg_ray.errors import UserError
from savg_ray.networks.yolox import NMS_IOU, SCORE_FLOOR, SIDE_PX, Detections

_BATCH_NORM = {"type": "BN", "momentum": 0.03, "eps": 0.001}
_SWISH = {"type": "Swish"}
# Values of the model zoo's YOLOX-tiny; its losses are left at their defaults because only predictions are asked for.
_MODEL = {
    "_scope_": "mmdet",
    "type": "YOLOX",
    "data_preprocessor": {"type": "DetDataPreprocessor", "pad_size_divisor": 32},
    "backbone": {
        "type": "CSPDarknet",
        "deepen_factor": 0.33,
        "widen_factor": 0.375,
        "out_indices": (2, 3, 4),
        "use_depthwise": False,
        "spp_kernal_sizes": (5, 9, 13),
        "norm_cfg": _BATCH_NORM,
        "act_cfg": _SWISH,
    },
    "neck": {
        "type": "YOLOXPAFPN",
        "in_channels": [96, 192, 384],
        "out_channels": 96,
        "num_csp_blocks": 1,
        "use_depthwise": False,
        "upsample_cfg": {"scale_factor": 2, "mode": "nearest"},
        "norm_cfg": _BATCH_NORM,
        "act_cfg": _SWISH,
    },
    "bbox_head": {
        "type": "YOLOXHead",
        "num_classes": 80,
        "in_channels": 96,
        "feat_channels": 96,
        "stacked_convs": 2,
        "strides": (8, 16, 32),
        "use_depthwise": False,
        "norm_cfg": _BATCH_NORM,
        "act_cfg": _SWISH,
    },
    "test_cfg": {"score_thr": SCORE_FLOOR, "nms": {"type": "nms", "iou_threshold": NMS_IOU}},
}


class MmdetYoloxTiny:
    """Callable with the meaning of ``savg_ray.networks.yolox.YoloxTiny``, computed by mmdet.

    Args:
        state: the state dict of YOLOX-tiny, loaded strictly.
        device: where the network runs.

    Raises:
        UserError: when mmdet or mmcv is not installed, or ``state`` does not fit the network.
    """

    def __init__(self, state: Mapping[str, torch.Tensor], device: str | torch.device = "cpu") -> None:
        model, self._resize, self._pad = _build()
        try:
            model.load_state_dict(state, strict=True)
        except RuntimeError as error:
            raise UserError(f"The weights are not those of YOLOX-tiny ({error}); give mmdet's checkpoint.") from error
        self._model = model.to(device).eval()

    @torch.no_grad()
    def __call__(self, frames: np.ndarray | torch.Tensor) -> list[Detections]:
        """Detections of each picture of uint8 BGR ``frames`` (N, H, W, 3), down to score 0.01, after NMS."""
        if len(frames) == 0:
            return []
        from mmdet.structures import DetDataSample

        inputs, samples = [], []
        for frame in frames.cpu().numpy() if isinstance(frames, torch.Tensor) else frames:
            scaled = self._pad(self._resize({"img": frame}))
            inputs.append(torch.from_numpy(np.ascontiguousarray(scaled["img"].transpose(2, 0, 1))))
            known = ("img_shape", "scale_factor", "pad_shape")
            samples.append(
                DetDataSample(metainfo={"ori_shape": frame.shape[:2], **{key: scaled[key] for key in known}})
            )
        results = self._model.test_step({"inputs": inputs, "data_samples": samples})
        found = (result.pred_instances for result in results)
        return [Detections(instances.bboxes, instances.scores, instances.labels) for instances in found]


def _build() -> tuple[torch.nn.Module, Any, Any]:
    try:
        import mmdet.models  # noqa: F401  (fills the registry)
        from mmdet.datasets.transforms import Pad, Resize
        from mmdet.registry import MODELS
        from mmengine.config import ConfigDict
    except ImportError as error:
        raise UserError(
            f"The mmdet detector cannot be loaded ({error}); install the extra with `pip install savg-ray[mmdet]`,"
            " or check it with `make test-mmdet`, or use the built-in detector."
        ) from error
    resize = Resize(scale=(SIDE_PX, SIDE_PX), keep_ratio=True)
    pad = Pad(pad_to_square=True, pad_val={"img": (114.0, 114.0, 114.0)})
    return MODELS.build(ConfigDict(_MODEL)), resize, pad
