"""Copies of modules in any state."""

import copy

from torch import nn

from initsk.network._operations import tensors_in
from initsk.network._parts import parts_of


def copy_of_module(module: nn.Module) -> nn.Module:
    """Return a deep copy of a module, also if it holds results of a forward pass, which torch does not copy.

    Such results are the weights that pruning and weight normalization compute, and what a forward pass stores. They
    have no gradients in the copy.

    Examples
    --------
    >>> layer = nn.Linear(2, 2)
    >>> layer.last = layer.weight * 2
    >>> bool((copy_of_module(layer).last == layer.last).all())
    True
    """
    held = (tensor for part in parts_of(module) for tensor in tensors_in([*vars(part).values()]))
    copies = {id(tensor): tensor.detach().clone() for tensor in held if tensor.grad_fn is not None}
    return copy.deepcopy(module, copies)
