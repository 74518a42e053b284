"""An initializer is a value: its parameters are all there is to it."""

import copy
import pickle
from collections.abc import Iterator
from typing import Any

from sklearn.base import clone

from initsk.exceptions import InvalidParameterError
from initsk.initializers import Initializer
from initsk.testing._support import require


def check_is_a_value(initializer: Initializer) -> None:
    """Equal parameters make equal objects: clone, hash, copy, pickle and ``get_params``; a clone shares nothing."""
    same = [
        clone(initializer),
        copy.deepcopy(initializer),
        type(initializer)(**initializer.get_params(deep=False)),
    ]
    if not any(_is_function(value) for value in _values(initializer)):
        same.append(pickle.loads(pickle.dumps(initializer)))
    for other in same:
        require(initializer, other == initializer, f"{other!r} is not equal to it")
        require(initializer, hash(other) == hash(initializer), "equal objects have different hashes")
        require(initializer, repr(other) == repr(initializer), "equal objects have different reprs")
    require(initializer, initializer != object(), "it equals a foreign object")
    inner = {id(value) for value in _values(initializer) if isinstance(value, Initializer)}
    shared = [value for value in _values(clone(initializer)) if id(value) in inner]
    require(initializer, not shared, f"its clone shares {shared}, so that setting a parameter of one moves the other")


def check_repr(initializer: Initializer) -> None:
    """Read as Python, the repr gives the object back, unless a parameter is a function: that is shown by its name."""
    values = list(_values(initializer))
    if any(_is_function(value) for value in values):
        return
    names = {type(value).__name__: type(value) for value in values if isinstance(value, Initializer)}
    try:
        again = eval(repr(initializer), names)
    except Exception as error:
        raise AssertionError(f"{initializer!r}: its repr is not Python ({error})") from error
    require(initializer, again == initializer, f"its repr gives {again!r} back")


def check_json(initializer: Initializer) -> None:
    """JSON gives the object back, unless a parameter is a function: then it is refused."""
    try:
        text = initializer.to_json()
    except InvalidParameterError:
        functions = [value for value in _values(initializer) if _is_function(value)]
        require(initializer, bool(functions), "it cannot be written as JSON, though no parameter is a function")
        return
    require(initializer, Initializer.from_json(text) == initializer, f"JSON does not give it back: {text}")


def _is_function(value: Any) -> bool:
    return callable(value) and not isinstance(value, Initializer)


def _values(initializer: Initializer) -> Iterator[Any]:
    """Yield the initializer, its parameters, and what lies in them."""
    todo: list[Any] = [initializer]
    while todo:
        value = todo.pop()
        if isinstance(value, list | tuple):
            todo.extend(value)
            continue
        if isinstance(value, Initializer):
            todo.extend(value.get_params(deep=False).values())
        yield value
