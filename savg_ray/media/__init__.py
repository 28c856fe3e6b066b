"""Clip in, tensors out, and back to a file."""
