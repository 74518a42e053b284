"""Values: objects defined by their parameters, with equality, hash, repr, clone and JSON."""

import json
from collections.abc import Hashable, Iterator
from functools import partial
from inspect import signature
from typing import Any, Self, cast

import numpy as np
from sklearn.base import BaseEstimator
from torch import nn

from initsk.exceptions import InvalidParameterError
from initsk.text import without_addresses
from initsk.utils.validation import refuse, unknown_name


def value_key(value: Any) -> Hashable:
    """Return a key that equal parameters share; the key of a module holds its class, settings and values.

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


def as_python(value: Any) -> Any:
    """Return numpy's numbers as Python's, and other values as they are.

    Examples
    --------
    >>> as_python(np.float16(0.5))
    0.5
    """
    return value.item() if isinstance(value, np.generic) else value


def value_repr(value: Any) -> str:
    """Return the Python text of a parameter; numpy's numbers are plain numbers, functions and classes their names.

    Objects are shown without their addresses.

    Examples
    --------
    >>> value_repr([np.float64(0.5), nn.Tanh, (abs,)])
    '[0.5, Tanh, (abs,)]'
    """
    value = as_python(value)
    if isinstance(value, type) or (callable(value) and not isinstance(value, BaseEstimator | nn.Module)):
        return str(getattr(value, "__name__", type(value).__name__))
    if isinstance(value, list):
        return f"[{', '.join(map(value_repr, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(value_repr, value))}{',' if len(value) == 1 else ''})"
    return without_addresses(repr(value))


class Value(BaseEstimator):
    """Object that is defined by its parameters: equality, hash, repr, clone and JSON follow from them."""

    @classmethod
    def _get_param_names(cls) -> list[str]:
        # To read the signature takes most of the time of `get_params`.
        names: list[str] | None = vars(cls).get("_param_names")
        if names is None:
            names = cls._param_names = super()._get_param_names()
        return names

    @classmethod
    def _get_defaults(cls) -> dict[str, Any]:
        # To read the signature takes most of the time of a repr.
        defaults: dict[str, Any] | None = vars(cls).get("_defaults")
        if defaults is None:
            defaults = cls._defaults = {name: part.default for name, part in signature(cls).parameters.items()}
        return defaults

    def set_params(self, **params: Any) -> Self:
        """Set parameters as in scikit-learn, and check the names of all of them first.

        Raises
        ------
        InvalidParameterError
            If there is no such parameter; nothing is set then.
        """
        refuse(f"Invalid parameter for {type(self).__name__}", list(self._unknown(params)))
        return super().set_params(**params)

    def _unknown(self, params: dict[str, Any]) -> Iterator[str]:
        """Yield a message for each parameter that neither this object nor an initializer among its parameters has."""
        known = self.get_params(deep=False)
        for key in params:
            name, nested, rest = key.partition("__")
            value = params.get(name, known.get(name))
            if name not in known:
                yield unknown_name("parameter", name, known)
            elif nested and isinstance(value, Value):
                yield from value._unknown({rest: params[key]})
            elif nested and not hasattr(value, "set_params"):
                yield f"{key}={params[key]!r} is not allowed ({name}={value!r} has no parameters)"

    def to_json(self) -> str:
        """Return the class's name and the parameters as JSON.

        Raises
        ------
        InvalidParameterError
            If a parameter is a function, which JSON cannot hold.
        """
        return json.dumps(_plain(self, type(self).__name__))

    @staticmethod
    def from_json(text: str) -> Any:
        """Return the initializer that `to_json` wrote.

        Raises
        ------
        InvalidParameterError
            If the text is not JSON, or does not describe an initializer with allowed parameters.

        Examples
        --------
        >>> from initsk.initializers import HeNormal, Initializer
        >>> Initializer.from_json(HeNormal(mode="fan_out").to_json())
        HeNormal(mode='fan_out')
        """
        try:
            tree = json.loads(text)
        except json.JSONDecodeError as error:
            raise InvalidParameterError(f"not JSON: {error}") from error
        value: Any = _object(tree, {kind.__name__: kind for kind in subclasses(Value)})
        if not isinstance(value, Value):
            raise InvalidParameterError(f"{text!r} does not describe an initializer")
        return cast(Any, value).check()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Value) and value_key(self) == value_key(other)

    def __hash__(self) -> int:
        return hash(value_key(self))

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        defaults = self._get_defaults()
        values = self.get_params(deep=False)
        shown = {key: (value_repr(values[key]), value_repr(defaults[key])) for key in defaults if key in values}
        changed = [f"{key}={value}" for key, (value, default) in shown.items() if value != default]
        return f"{type(self).__name__}({', '.join(changed)})"

    def __sklearn_clone__(self) -> Any:
        return type(self)(**{key: _cloned(value) for key, value in self.get_params(deep=False).items()})


def _cloned(value: Any) -> Any:
    """Clone the initializers in a parameter; other objects are shared."""
    if isinstance(value, list | tuple):
        return type(value)(map(_cloned, value))
    return value.__sklearn_clone__() if isinstance(value, Value) else value


def _plain(value: Any, where: str) -> Any:
    """Return a parameter as JSON's types; `where` is its place for the error message."""
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
    """Return the parameter that `_plain` wrote, made of the given classes."""
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
    """Return all subclasses of a class, each before its own."""
    children: list[type] = root.__subclasses__()
    return [kind for child in children for kind in (child, *subclasses(child))]
