"""Tensors to features, one network a file."""
