"""Copies of modules in any state."""

import copy
from typing import Any

import torch
from torch import nn

from initsk.exceptions import ModuleError
from initsk.network._operations import tensors_in
from initsk.network._parts import parameters_of, parts_of
from initsk.network._state import copy_gradient_hooks
from initsk.utils.words import reason_of


def copy_of_module(module: nn.Module, memo: dict[int, Any] | None = None) -> nn.Module:
    """Return a deep copy of a module, also if it holds results of a forward pass, which torch does not copy.

    Such results are the weights that pruning and weight normalization compute, and what a forward pass stores. They
    have no gradients in the copy. Hooks of parameters, which torch does not copy either, are those of the copy too.

    Parameters
    ----------
    module : torch.nn.Module
    memo : dict, optional
        Gets the copies by the numbers of their originals, as ``copy.deepcopy`` does it. Another object that is copied
        with it refers to the copy where it referred to the module.

    Raises
    ------
    ModuleError
        If the module cannot be copied.

    Examples
    --------
    >>> layer = nn.Linear(2, 2)
    >>> layer.last = layer.weight * 2
    >>> bool((copy_of_module(layer).last == layer.last).all())
    True
    """
    for name, parameter in module.named_parameters():
        if parameter.layout is not torch.strided:
            raise ModuleError(
                f"{type(module).__name__} cannot be copied: {name} is stored as {parameter.layout}, not densely"
                " (allowed: dense parameters)"
            )
    held = (tensor for part in parts_of(module) for tensor in tensors_in([*vars(part).values()]))
    memo = {} if memo is None else memo
    memo |= {id(tensor): tensor.detach().clone() for tensor in held if tensor.grad_fn is not None}
    try:
        copied = copy.deepcopy(module, memo)
        if not isinstance(copied, nn.Module):
            raise TypeError(f"the copy is of type {type(copied).__name__}")
    except Exception as error:  # a user's object may refuse to be copied
        raise ModuleError(
            f"{type(module).__name__} cannot be copied: {reason_of(error)}"
            " (allowed: a module that copy.deepcopy copies)"
        ) from error
    for parameter in parameters_of(module):
        copy_gradient_hooks(parameter, memo.get(id(parameter)), memo)
    return copied
