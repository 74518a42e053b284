"""Constraints of the parameters that the multilayer perceptrons share, and optimizers by name."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import Any, cast

import numpy as np
import torch
from skorch.callbacks import Callback
from torch import nn

from initsk.exceptions import InvalidParameterError
from initsk.initializers import get_initializer
from initsk.network import (
    NORMALIZATIONS,
    OPTIMIZERS,
    any_optimizer_has_hooks,
    get_optimizer,
    layer_sizes,
    make_activation,
)
from initsk.utils import validation as valid
from initsk.utils.random import check_random_state, isolated_torch_random
from initsk.utils.torch_settings import outside_of_contexts, resolve_device, torch_threads
from initsk.utils.words import counted, reason_of

_FUSED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)
# Activation functions are not tried on layers with more units.
_LARGEST_TRIED = 2**20
_LARGEST_WIDTH = 2**31 - 1


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
    if isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str):
        item = item[1]
    return isinstance(item, Callback) or (isinstance(item, type) and issubclass(item, Callback))


def _check_activation(activation: Any) -> None:
    """Raise InvalidParameterError unless `activation` is an activation function or a list of them."""
    for item in activation if isinstance(activation, list | tuple) else [activation]:
        make_activation(item)


def _sizes(value: Any) -> str | None:
    """Allow a positive integer, and a tuple, a list or an array of positive integers, that torch can take."""
    widths = value.tolist() if isinstance(value, np.ndarray) else value
    widths = widths if isinstance(widths, tuple | list) else [widths]
    wrong = valid.sequence_of(valid.integer(1), "an integer >= 1, or a tuple of them")(widths)
    return wrong or (f"widths up to {_LARGEST_WIDTH}" if max(widths, default=1) > _LARGEST_WIDTH else None)


def _batch_size(value: Any) -> str | None:
    """Allow positive integers; scikit-learn's "auto" has no place, since the number of samples decides it."""
    hint = '; "auto" of scikit-learn is min(200, n_samples)' if value == "auto" else ""
    wrong = valid.integer(1)(value)
    return wrong and wrong + hint


def _verbose(value: Any) -> str | None:
    """Allow integers that are at least 0, and True and False, which are 1 and 0."""
    return None if valid.boolean()(value) is None else valid.integer(0)(value) and "an integer >= 0, True or False"


def _check_optimizer(optimizer: Any) -> None:
    """Raise InvalidParameterError unless `optimizer` is a name or a class; of a function, the message says what is."""
    if isinstance(optimizer, str | type | torch.optim.Optimizer) or not callable(optimizer):
        get_optimizer(optimizer)
        return
    keywords = dict(getattr(optimizer, "keywords", {}))
    kind = getattr(optimizer, "func", None)
    shown = f"torch.optim.{kind.__name__}" if isinstance(kind, type) else "'sgd'"
    arguments = {"lr": keywords.pop("lr", 0.1), "optimizer_params": keywords or {"momentum": 0.9}}
    instead = ", ".join([f"optimizer={shown}", *(f"{name}={value!r}" for name, value in arguments.items())])
    raise InvalidParameterError(
        "a name of torch's optimizers or a torch.optim class, which gets lr= and optimizer_params= of the estimator; a"
        f" function would have values of its own, so write {instead}"
    )


def _argument_hint(name: str, kind: type[torch.optim.Optimizer]) -> str:
    """Return what is meant by an argument that the optimizer does not have, or an empty text."""
    if name == "lr":
        return "; use lr= of the estimator"
    with_it = [other for other in ("sgd", "rmsprop", "adam") if name in _arguments(OPTIMIZERS[other])]
    return f'; optimizer="{with_it[0]}" has it, {kind.__name__} has not' if with_it else ""


def _arguments(kind: type[torch.optim.Optimizer]) -> set[str]:
    return set(inspect.signature(kind).parameters) - {"params", "lr"}


_CALLBACK = valid.allow(_is_callback, "a skorch callback")
CONSTRAINTS: dict[str, valid.Constraint] = {
    "hidden_layer_sizes": _sizes,
    "activation": valid.resolved_by(_check_activation),
    "initializer": valid.resolved_by(get_initializer),
    "bias_initializer": valid.optional(valid.resolved_by(get_initializer)),
    "output_initializer": valid.optional(valid.resolved_by(get_initializer)),
    "normalization": valid.optional(valid.one_of("normalization", NORMALIZATIONS)),
    "dropout": valid.real(minimum=0, below=1),
    "optimizer": valid.resolved_by(_check_optimizer),
    "optimizer_params": valid.optional(valid.instance_of(dict, "a dict of the optimizer's arguments")),
    "lr": valid.real(above=0),
    "batch_size": _batch_size,
    "max_epochs": valid.integer(1),
    "early_stopping": valid.boolean(),
    "validation_fraction": valid.real(above=0, below=1),
    "patience": valid.integer(1),
    "tol": valid.real(minimum=0),
    "warm_start": valid.boolean(),
    "random_state": valid.resolved_by(check_random_state),
    "device": valid.resolved_by(resolve_device),
    "n_threads": valid.optional(valid.thread_count()),
    "input_scale": valid.optional(valid.real(above=0)),
    "callbacks": valid.optional(valid.sequence_of(_CALLBACK, "a list of skorch callbacks")),
    "verbose": _verbose,
}


def check_together(owner: str, parameters: dict[str, Any]) -> None:
    """Check combinations of parameters that are each allowed.

    Raises
    ------
    InvalidParameterError
        If a combination is not allowed; the message names all of them.
    """
    problems = []
    activation, n_layers = parameters["activation"], len(layer_sizes(parameters["hidden_layer_sizes"]))
    if isinstance(activation, list | tuple) and len(activation) != n_layers:
        problems.append(f"activation={activation!r} is not allowed (a list of {n_layers}, one per hidden layer)")
    if parameters["normalization"] == "batch_norm" and parameters["batch_size"] == 1:
        problems.append("batch_size=1 is not allowed (an integer >= 2 for normalization='batch_norm')")
    kind = get_optimizer(parameters["optimizer"])
    arguments = _arguments(kind)
    names = [item[0] for item in parameters["callbacks"] or [] if isinstance(item, tuple)]
    if len(set(names)) < len(names):
        problems.append(f"callbacks have the names {names} (allowed: each name once)")
    unknown = [name for name in parameters["optimizer_params"] or {} if name not in arguments]
    problems += [
        f"optimizer_params: {valid.unknown_name('argument', name, arguments)}{_argument_hint(name, kind)}"
        for name in unknown
    ]
    valid.refuse(owner, problems)


def try_parts(owner: str, parameters: dict[str, Any]) -> None:
    """Try activation functions and the optimizer on small tensors, unless torch's own names tell that they work.

    Raises
    ------
    InvalidParameterError
        If one of them cannot be a part of the network or of its training; the message names all of them.
    """
    layers = layers_of(parameters["activation"], parameters["hidden_layer_sizes"])
    different = {(id(kind), width): (kind, width) for kind, width in layers if width <= _LARGEST_TRIED}
    unknown = [layer for layer in different.values() if not (isinstance(layer[0], str) and _keeps_shape(layer[0]))]
    with _as_in_training(parameters) if unknown else nullcontext():
        problems = [_activation_problem(*layer) for layer in unknown]
    valid.refuse(owner, [problem for problem in problems if problem])
    try_optimizer(owner, parameters)


def try_optimizer(owner: str, parameters: dict[str, Any]) -> None:
    """Try the optimizer on small tensors, unless it is one of torch's own with its defaults.

    Raises
    ------
    InvalidParameterError
        If it cannot train dense weights and biases.
    """
    if get_optimizer(parameters["optimizer"]) in OPTIMIZERS.values() and not parameters["optimizer_params"]:
        return
    with _as_in_training(parameters):
        problem = _optimizer_problem(parameters)
    valid.refuse(owner, [problem] if problem else [])


@contextmanager
def _as_in_training(parameters: dict[str, Any]) -> Iterator[None]:
    # A user's function may draw, or look at settings of torch.
    with (
        torch_threads(parameters["n_threads"]), outside_of_contexts(dtype=torch.float32),
        isolated_torch_random(None, parameters["device"]),
    ):  # fmt: skip
        yield


@cache
def _keeps_shape(activation: str) -> bool:
    """Return whether one of torch's activation functions keeps the number of features."""
    with _as_in_training({"n_threads": None, "device": "cpu"}):
        return _activation_problem(activation, 2) is None


def layers_of(activation: Any, sizes: Any) -> list[tuple[Any, int]]:
    """Return the activation function and the width of each hidden layer.

    Examples
    --------
    >>> layers_of("relu", (8, 4))
    [('relu', 8), ('relu', 4)]
    """
    widths = layer_sizes(sizes)
    kinds = activation if isinstance(activation, list | tuple) else [activation] * len(widths)
    return list(zip(kinds, widths, strict=True))


def _activation_problem(activation: Any, width: int) -> str | None:
    """Return why an activation function cannot follow a layer of this width, or None."""
    given = f"activation={activation!r} is not allowed after a layer of {counted(width, 'unit')}"
    try:
        with torch.no_grad():
            values = make_activation(activation)(torch.zeros(2, width))
    except Exception as error:  # a user's function may raise anything
        return f"{given} (it raises: {reason_of(error)})"
    if not isinstance(values, torch.Tensor):
        return f"{given} (it returns {type(values).__name__}; allowed: a tensor)"
    if values.shape != (2, width):
        return f"{given} (it makes the shape (2, {width}) to {tuple(values.shape)}; allowed: the same shape)"
    return None


def _optimizer_problem(parameters: dict[str, Any]) -> str | None:
    """Return why the optimizer cannot train a weight and a bias, or None."""
    kind = get_optimizer(parameters["optimizer"])
    arguments = optimizer_arguments(kind, parameters["optimizer_params"])
    try:
        tensors = [nn.Parameter(torch.zeros(shape, device=parameters["device"])) for shape in [(2, 2), (2,)]]
        optimizer = cast(Any, kind)(tensors, lr=parameters["lr"], **arguments)

        def loss() -> torch.Tensor:
            for tensor in tensors:
                tensor.grad = torch.zeros_like(tensor)
            return torch.zeros(())

        loss()
        # The user's hooks see the steps of the training only.
        if not any_optimizer_has_hooks():
            optimizer.step(loss)
    except Exception as error:  # a user's class may raise anything
        given = f"optimizer={parameters['optimizer']!r} with optimizer_params={parameters['optimizer_params']!r}"
        return f"{given} cannot train dense weights and biases ({reason_of(error)})"
    return None
