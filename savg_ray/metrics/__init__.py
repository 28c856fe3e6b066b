"""Rows to numbers, one metric a file; states of workers merge exactly."""

from savg_ray.metrics.frechet import frechet_distance
from savg_ray.metrics.kvd import kernel_distance
from savg_ray.metrics.spatial_av_align import SpatialAlignment, spatial_av_align
from savg_ray.metrics.temporal_av_align import temporal_av_align

__all__ = ["SpatialAlignment", "frechet_distance", "kernel_distance", "spatial_av_align", "temporal_av_align"]
