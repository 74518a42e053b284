"""Parameters as values: what makes two equal, and how one is written."""

import json
from collections.abc import Hashable
from functools import partial
from inspect import signature
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from torch import nn

from initsk.exceptions import InvalidParameterError


def value_key(value: Any) -> Hashable:
    """Return what equal parameters have in common: of a module its class, settings and values, not its identity.

    Examples
    --------
    >>> value_key(nn.LeakyReLU(0.2)) == value_key(nn.LeakyReLU(0.2)), value_key([1]) == value_key([1.0])
    (True, True)
    """
    if isinstance(value, list | tuple):
        return (type(value), *map(value_key, value))
    if isinstance(value, BaseEstimator):
        return (type(value), *((name, value_key(part)) for name, part in sorted(value.get_params(deep=False).items())))
    if isinstance(value, nn.Module):
        state = ((name, tensor.cpu().numpy().tobytes()) for name, tensor in value.state_dict().items())
        return type(value), repr(value), tuple(state)
    if isinstance(value, partial):
        keywords = tuple((name, value_key(part)) for name, part in sorted(value.keywords.items()))
        return partial, value_key(value.func), value_key(value.args), keywords
    return value if isinstance(value, Hashable) else (type(value), repr(value))


def value_repr(value: Any) -> str:
    """Write a parameter as Python has it: numpy's numbers as numbers, functions and classes by their names.

    Examples
    --------
    >>> value_repr([np.float64(0.5), nn.Tanh, (abs,)])
    '[0.5, Tanh, (abs,)]'
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, type) or (callable(value) and not isinstance(value, BaseEstimator | nn.Module)):
        return str(getattr(value, "__name__", type(value).__name__))
    if isinstance(value, list):
        return f"[{', '.join(map(value_repr, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(value_repr, value))}{',' if len(value) == 1 else ''})"
    return repr(value)


class Value(BaseEstimator):
    """An object that is its parameters: equal, hashed, written and copied by them."""

    def to_json(self) -> str:
        """Write the class's name and the parameters as JSON.

        Raises
        ------
        InvalidParameterError
            If a parameter is a function, which JSON cannot hold.
        """
        return encode(self)

    @staticmethod
    def from_json(text: str) -> Any:
        """Read an initializer that `to_json` wrote.

        Examples
        --------
        >>> from initsk.initializers import HeNormal, Initializer
        >>> Initializer.from_json(HeNormal(mode="fan_out").to_json())
        HeNormal(mode='fan_out')
        """
        return decode(text, Value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Value) and value_key(self) == value_key(other)

    def __hash__(self) -> int:
        return hash(value_key(self))

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        defaults = signature(type(self).__init__).parameters
        values = self.get_params(deep=False)
        shown = {key: (value_repr(values[key]), value_repr(defaults[key].default)) for key in defaults if key in values}
        changed = [f"{key}={value}" for key, (value, default) in shown.items() if value != default]
        return f"{type(self).__name__}({', '.join(changed)})"

    def __str__(self) -> str:
        return repr(self)

    def __sklearn_clone__(self) -> Any:
        return type(self)(**{key: _cloned(value) for key, value in self.get_params(deep=False).items()})


def _cloned(value: Any) -> Any:
    """Clone the initializers in a parameter; anything else is shared."""
    if isinstance(value, list | tuple):
        return type(value)(map(_cloned, value))
    return value.__sklearn_clone__() if isinstance(value, Value) else value


def encode(initializer: Any) -> str:
    """Write an initializer as JSON: its class's name and its parameters."""
    return json.dumps(_plain(initializer, type(initializer).__name__))


def decode(text: str, root: type) -> Any:
    """Read what `encode` wrote; `root` is the class whose subclasses may be named."""
    try:
        tree = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidParameterError(f"not JSON: {error}") from error
    known = {kind.__name__: kind for kind in subclasses(root)}
    value = _object(tree, known)
    if not isinstance(value, root):
        raise InvalidParameterError(f"{text!r} holds no initializer")
    checked: Any = value
    return checked.check()


def _plain(value: Any, where: str) -> Any:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list):
        return [_plain(item, where) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [_plain(item, where) for item in value]}
    if isinstance(value, type) and value in vars(nn).values():
        return {"torch.nn": value.__name__}
    if hasattr(value, "get_params") and not isinstance(value, type):
        parameters = {name: _plain(item, f"{where}.{name}") for name, item in value.get_params(deep=False).items()}
        return {"initializer": type(value).__name__, "parameters": parameters}
    raise InvalidParameterError(f"{where}: {value!r} cannot be written as JSON (use a name, or pickle)")


def _object(tree: Any, classes: dict[str, type]) -> Any:
    if isinstance(tree, list):
        return [_object(item, classes) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if "tuple" in tree:
        return tuple(_object(item, classes) for item in tree["tuple"])
    if "torch.nn" in tree:
        kind = vars(nn).get(tree["torch.nn"])
        if not isinstance(kind, type):
            raise InvalidParameterError(f"torch.nn has no class {tree['torch.nn']!r}")
        return kind
    name = tree.get("initializer")
    if name not in classes:
        raise InvalidParameterError(f"unknown initializer class {name!r} (allowed: {', '.join(sorted(classes))})")
    parameters = {key: _object(item, classes) for key, item in tree.get("parameters", {}).items()}
    try:
        return classes[name](**parameters)
    except TypeError as error:
        raise InvalidParameterError(f"{name} cannot be made of {parameters!r} ({error})") from error


def subclasses(root: type) -> list[type]:
    """List all subclasses of a class, each before its own."""
    found: list[type] = []
    children: list[type] = root.__subclasses__()
    for child in children:
        found += [child, *subclasses(child)]
    return found
