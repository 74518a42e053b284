"""Initializers as JSON and back."""

import json
from typing import Any

import numpy as np
from torch import nn

from initsk.exceptions import InvalidParameterError


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
