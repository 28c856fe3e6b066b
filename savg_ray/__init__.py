"""Generate and score spatially aligned audio-video: the science, in plain PyTorch and NumPy (no Ray)."""

__version__ = "0.1.0"
