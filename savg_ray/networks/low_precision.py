"""Networks whose matrix products and convolutions are done in bfloat16."""

import torch
from torch import nn


def to_bfloat16(network: nn.Module) -> None:
    """Turn the weights of a diffusion network into bfloat16, in place, but for those of its normalisations.

    Autocast would turn them anew at every call: a thousand kernels more, and a float32 copy of what is normalised.
    Normalisations keep float32, in which they reckon whatever they are given.

    Args:
        network: in evaluation mode, without gradients; inputs and outputs keep their dtype.
    """
    for module in network.modules():
        if not isinstance(module, nn.GroupNorm):
            for parameter in module.parameters(recurse=False):
                parameter.data = parameter.data.to(torch.bfloat16)
