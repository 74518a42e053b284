"""Optimizers by name."""

from typing import Any

import torch

from initsk.exceptions import InvalidParameterError
from initsk.utils._validation import unknown_name

OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}
_FUSED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)


def get_optimizer(optimizer: Any) -> type[torch.optim.Optimizer]:
    """Turn a name or class into a torch optimizer class.

    Examples
    --------
    >>> get_optimizer("sgd").__name__
    'SGD'
    """
    if isinstance(optimizer, str) and optimizer in OPTIMIZERS:
        return OPTIMIZERS[optimizer]
    if isinstance(optimizer, type) and issubclass(optimizer, torch.optim.Optimizer):
        return optimizer
    raise InvalidParameterError(unknown_name("optimizer", optimizer, OPTIMIZERS) + ", or a torch.optim class")


def optimizer_arguments(optimizer: type[torch.optim.Optimizer], given: dict[str, Any] | None) -> dict[str, Any]:
    """Add to the arguments given what makes the optimizer fast: one pass over the numbers where torch has it.

    Examples
    --------
    >>> optimizer_arguments(torch.optim.SGD, {"momentum": 0.9})
    {'fused': True, 'momentum': 0.9}
    """
    return ({"fused": True} if optimizer in _FUSED else {}) | dict(given or {})
