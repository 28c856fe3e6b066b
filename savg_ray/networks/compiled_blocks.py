"""Compiling the blocks that a network repeats."""

import torch
from torch import nn

# PyTorch's own limit, 8, is for all blocks of a class together, and hardly two of them have the same shapes.
_MOST_SHAPES = 256


def compile_blocks(network: nn.Module, kinds: tuple[type[nn.Module], ...]) -> None:
    """Have every block of some kinds compiled, in place, at its first call with new shapes.

    Blocks take a small part of the time that the whole network would take to compile, and names of weights stay.
    Results differ in their last digits. Compiled code is kept on disk (``TORCHINDUCTOR_CACHE_DIR``) for later runs.

    Args:
        network: in evaluation mode, on its device.
        kinds: classes of the blocks.
    """
    limit = torch.compiler.config.recompile_limit
    torch.compiler.config.recompile_limit = max(limit, _MOST_SHAPES)
    for block in network.modules():
        if isinstance(block, kinds):
            block.compile(dynamic=False)
