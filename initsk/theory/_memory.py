"""Results for an activation function, kept where it cannot change."""

from collections.abc import Callable, Hashable
from functools import lru_cache, wraps
from types import BuiltinFunctionType
from typing import Any

import numpy as np

from initsk.theory._activations import ActivationLike, OfMultiple


class _Keyed:
    """An activation that is compared by its key."""

    def __init__(self, activation: ActivationLike, key: Hashable) -> None:
        self.activation = activation
        self.key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Keyed) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


def remembers(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a function of an activation so that it computes once for names, torch's modules and ufuncs.

    What a user wrote is computed anew at each call: nobody knows what it depends on.
    """

    @lru_cache(maxsize=512)
    def kept(keyed: _Keyed, *rest: Any) -> Any:
        return function(keyed.activation, *rest)

    @wraps(function)
    def wrapper(activation: ActivationLike, *rest: Any) -> Any:
        key = _key(activation)
        return function(activation, *rest) if key is None else kept(_Keyed(activation, key), *rest)

    return wrapper


def _key(activation: ActivationLike) -> Hashable | None:
    if isinstance(activation, str | np.ufunc | BuiltinFunctionType):
        return activation
    if isinstance(activation, OfMultiple):
        inner = _key(activation.activation)
        return None if inner is None else (inner, activation.factor)
    kind = activation if isinstance(activation, type) else type(activation)
    if not kind.__module__.startswith("torch.nn.modules"):
        return None
    if isinstance(activation, type):
        return activation
    # Settings are in the repr, what is learned in the parameters.
    learned: Any = activation
    return kind, repr(activation), tuple(p.detach().cpu().numpy().tobytes() for p in learned.parameters())
