"""Whether hooks are registered somewhere in torch."""

import sys
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn


def has_hooks(owner: nn.Module | torch.optim.Optimizer) -> bool:
    """Return whether hooks are registered with a module (not with its parts) or an optimizer.

    Examples
    --------
    >>> layer = nn.Linear(2, 2)
    >>> handle = layer.register_forward_hook(print)
    >>> has_hooks(layer)
    True
    >>> handle.remove()
    >>> has_hooks(layer)
    False
    """
    return _holds_hooks(vars(owner))


def any_module_has_hooks() -> bool:
    """Return whether hooks are registered for all modules, as by `register_module_forward_hook`."""
    return _holds_hooks(vars(sys.modules[nn.Module.__module__]))


def any_optimizer_has_hooks() -> bool:
    """Return whether hooks are registered for all optimizers, as by `register_optimizer_step_pre_hook`."""
    return _holds_hooks(vars(sys.modules[torch.optim.Optimizer.__module__]))


def _holds_hooks(attributes: Mapping[str, Any]) -> bool:
    """Return whether a dictionary with numbers as keys is there: torch keeps hooks by the numbers of their handles.

    Parameters, buffers and modules have names as keys, and the state of an optimizer has tensors.
    """
    return any(isinstance(held, dict) and isinstance(next(iter(held), None), int) for held in attributes.values())


def may_have_gradient_hooks(parameter: torch.Tensor) -> bool:
    """Return whether something listens to a parameter's gradient; True where torch does not tell.

    torch has no public function for this question.
    """
    return any(getattr(parameter, name, True) for name in ("_backward_hooks", "_post_accumulate_grad_hooks"))
