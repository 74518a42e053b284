"""Constraints of the parameters that the multilayer perceptrons share, and optimizers by name."""

import inspect
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback

from initsk.exceptions import InvalidParameterError
from initsk.initializers import get_initializer
from initsk.network import NORMALIZATIONS, make_activation
from initsk.utils import validation as valid
from initsk.utils.random import check_random_state
from initsk.utils.torch_settings import check_device

_FUSED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)
OPTIMIZERS = {kind.__name__.lower(): kind for kind in (*_FUSED, torch.optim.RMSprop)}


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
    raise InvalidParameterError(valid.unknown_name("optimizer", optimizer, OPTIMIZERS) + ", or a torch.optim class")


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
    return valid.sequence_of(valid.integer(1), "a tuple of integers >= 1")(widths)


_CALLBACK = valid.allow(_is_callback, "a skorch callback")
CONSTRAINTS: dict[str, valid.Constraint] = {
    "hidden_layer_sizes": _sizes,
    "activation": valid.resolved_by(_check_activation),
    "initializer": valid.resolved_by(get_initializer),
    "bias_initializer": valid.optional(valid.resolved_by(get_initializer)),
    "output_initializer": valid.optional(valid.resolved_by(get_initializer)),
    "normalization": valid.optional(valid.one_of("normalization", NORMALIZATIONS)),
    "dropout": valid.real(minimum=0, below=1),
    "optimizer": valid.resolved_by(get_optimizer),
    "optimizer_params": valid.optional(valid.instance_of(dict, "a dict of the optimizer's arguments")),
    "lr": valid.real(above=0),
    "batch_size": valid.integer(1),
    "max_epochs": valid.integer(1),
    "early_stopping": valid.boolean(),
    "validation_fraction": valid.real(above=0, below=1),
    "patience": valid.integer(1),
    "tol": valid.real(minimum=0),
    "warm_start": valid.boolean(),
    "random_state": valid.resolved_by(check_random_state),
    "device": valid.resolved_by(check_device),
    "n_threads": valid.optional(valid.thread_count()),
    "input_scale": valid.optional(valid.real(above=0)),
    "callbacks": valid.optional(valid.sequence_of(_CALLBACK, "a list of skorch callbacks")),
    "verbose": valid.integer(0),
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
            problems.append(f"optimizer_params: {valid.unknown_name('argument', name, arguments)}")
    valid.refuse(owner, problems)
