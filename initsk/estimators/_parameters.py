"""Constraints of the parameters that the multilayer perceptrons share, and optimizers by name."""

import inspect
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback

from initsk.exceptions import InvalidParameterError
from initsk.initializers import get_initializer
from initsk.network import NORMALIZATIONS, make_activation
from initsk.utils.random import check_random_state
from initsk.utils.torch_settings import check_device
from initsk.utils.validation import (
    Constraint,
    allow,
    boolean,
    instance_of,
    integer,
    one_of,
    optional,
    real,
    refuse,
    resolved_by,
    sequence_of,
    unknown_name,
)

OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}
_FUSED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)


def get_optimizer(optimizer: Any) -> type[torch.optim.Optimizer]:
    """Return the torch optimizer class that a name or a class stands for.

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
    """Return the given arguments, with torch's fused implementation of the optimizer where torch has one.

    Examples
    --------
    >>> optimizer_arguments(torch.optim.SGD, {"momentum": 0.9})
    {'fused': True, 'momentum': 0.9}
    """
    return ({"fused": True} if optimizer in _FUSED else {}) | dict(given or {})


def _is_callback(item: Any) -> bool:
    """Return whether an object is a skorch callback, a class of callbacks, or a pair of a name and one of these."""
    if isinstance(item, tuple) and len(item) == 2:
        item = item[1]
    return isinstance(item, Callback) or (isinstance(item, type) and issubclass(item, Callback))


def _check_activation(activation: Any) -> None:
    """Raise InvalidParameterError unless `activation` is an activation function or a list of them."""
    for item in activation if isinstance(activation, list | tuple) else [activation]:
        make_activation(item)


def _sizes(value: Any) -> str | None:
    """Allow a tuple, a list or an array of positive integers."""
    widths = value.tolist() if isinstance(value, np.ndarray) else value
    return sequence_of(integer(1), "a tuple of integers >= 1")(widths)


CONSTRAINTS: dict[str, Constraint] = {
    "hidden_layer_sizes": _sizes,
    "activation": resolved_by(_check_activation),
    "initializer": resolved_by(get_initializer),
    "bias_initializer": optional(resolved_by(get_initializer)),
    "output_initializer": optional(resolved_by(get_initializer)),
    "normalization": optional(one_of("normalization", NORMALIZATIONS)),
    "dropout": real(minimum=0, below=1),
    "optimizer": resolved_by(get_optimizer),
    "optimizer_params": optional(instance_of(dict, "a dict of the optimizer's arguments")),
    "lr": real(above=0),
    "batch_size": integer(1),
    "max_epochs": integer(1),
    "early_stopping": boolean(),
    "validation_fraction": real(above=0, below=1),
    "patience": integer(1),
    "tol": real(minimum=0),
    "warm_start": boolean(),
    "random_state": resolved_by(check_random_state),
    "device": resolved_by(check_device),
    "n_threads": optional(integer(1)),
    "input_scale": optional(real(above=0)),
    "callbacks": optional(sequence_of(allow(_is_callback, "a skorch callback"), "a list of skorch callbacks")),
    "verbose": integer(0),
}


def check_together(owner: str, parameters: dict[str, Any]) -> None:
    """Check combinations of parameters that are each allowed.

    Raises
    ------
    InvalidParameterError
        If a combination is not allowed; the message names all of them.
    """
    problems = []
    activation, n_layers = parameters["activation"], len(parameters["hidden_layer_sizes"])
    if isinstance(activation, list | tuple) and len(activation) != n_layers:
        problems.append(f"activation={activation!r} is not allowed (a list of {n_layers}, one per hidden layer)")
    if parameters["normalization"] == "batch_norm" and parameters["batch_size"] == 1:
        problems.append("batch_size=1 is not allowed (an integer >= 2 for normalization='batch_norm')")
    arguments = set(inspect.signature(get_optimizer(parameters["optimizer"])).parameters) - {"params", "lr"}
    for name in parameters["optimizer_params"] or {}:
        if name not in arguments:
            problems.append(f"optimizer_params: {unknown_name('argument', name, arguments)}")
    refuse(owner, problems)
