"""Generating clips: seeds, the two diffusion models, other generators, and the files they leave."""
