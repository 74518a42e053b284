"""Hints for objects of an unexpected kind: one sentence for each kind, with the next step."""

from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from torch import nn

from initsk.text import brief

_LIBRARIES = ("keras", "tensorflow", "jax", "flax")


def describe_kind(value: Any) -> str:
    """Return what an object is, in few words: its values may be megabytes.

    Examples
    --------
    >>> describe_kind("net.pt"), describe_kind(nn.ReLU()), describe_kind(nn.ReLU), describe_kind(len)
    ("'net.pt'", 'an object of type ReLU', 'the class ReLU', 'the function len')
    """
    if value is None or isinstance(value, str | PurePath | int | float):
        return brief(repr(value), 80)
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if _is_function(value):
        return f"the function {getattr(value, '__name__', type(value).__name__)}"
    return f"an object of type {type(value).__name__}"


def next_step(value: Any) -> str:
    """Return how to get a network or an estimator from an object that is neither; "" for unknown kinds.

    Examples
    --------
    >>> next_step(nn.ReLU)
    'make an instance first: ReLU(...)'
    >>> next_step({"weight": torch.ones(2)})
    'these are values of parameters: load them into their module, with module.load_state_dict(...)'
    """
    return next((step(value) for is_kind, step in _STEPS if is_kind(value)), "")


def with_next_step(message: str, value: Any) -> str:
    """Return a message with the next step at its end, if there is one."""
    return "; ".join(filter(None, [message, next_step(value)]))


def _is_function(value: Any) -> bool:
    return callable(value) and not hasattr(value, "get_params") and not isinstance(value, type | nn.Module)


def _holds_tensors(value: Any) -> bool:
    values = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return bool(values) and all(isinstance(item, torch.Tensor) for item in values)


def _is_of(*libraries: str) -> Callable[[Any], bool]:
    return lambda value: type(value).__module__.startswith(libraries)


_STEPS: list[tuple[Callable[[Any], bool], Callable[[Any], str]]] = [
    (lambda value: isinstance(value, type), lambda value: f"make an instance first: {value.__name__}(...)"),
    (
        _is_of("sklearn.neural_network"),
        lambda value: (
            f"scikit-learn's {type(value).__name__} has no torch network: use that of this package,"
            f" initsk.{type(value).__name__}"
        ),
    ),
    (
        _is_of("sklearn."),
        lambda value: "use an estimator with a network, such as initsk.MLPClassifier or initsk.NeuralNetClassifier",
    ),
    (
        lambda value: isinstance(value, Mapping) and _holds_tensors(value),
        lambda value: "these are values of parameters: load them into their module, with module.load_state_dict(...)",
    ),
    (
        lambda value: isinstance(value, torch.Tensor) or _holds_tensors(value),
        lambda value: "give the module that has these tensors",
    ),
    (
        lambda value: isinstance(value, str | PurePath),
        lambda value: "a file is not read here: give the module, from torch.load(...) or with load_state_dict(...)",
    ),
    (lambda value: isinstance(value, torch.optim.Optimizer), lambda value: "give the module that it optimizes"),
    (
        _is_of(*_LIBRARIES),
        lambda value: (
            f"a model of {type(value).__module__.partition('.')[0]} has no torch module: build the network in torch;"
            " names such as 'keras.he_normal' give its initializers"
        ),
    ),
    (_is_function, lambda value: "call it and give the module that it returns"),
    (lambda value: isinstance(value, np.ndarray), lambda value: "the model comes before the data"),
]
