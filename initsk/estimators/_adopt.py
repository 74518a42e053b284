"""skorch nets of any class, with an initializer as a hyperparameter."""

from functools import cache
from typing import Any

import skorch

from initsk.estimators._nets import WithInitializer
from initsk.exceptions import InvalidParameterError
from initsk.initializers import InitializerLike
from initsk.utils import random


def with_initializer(
    net: Any, initializer: InitializerLike | None = "he_normal", *, random_state: random.RandomState = 0
) -> Any:
    """Return a skorch net of any class with an initializer as a hyperparameter.

    Parameters
    ----------
    net : skorch.NeuralNet
        A net of any class; it is not changed. A net that already has an initializer is returned unchanged.
    initializer : str, Initializer, callable or None, default="he_normal"
        Initializer of the weights.
    random_state : int, RandomState, Generator or None, default=0
        Seed of weights, validation split, batch order and dropout.

    Returns
    -------
    skorch.NeuralNet
        A net that is not initialized, of a subclass of the net's class. It has the net's parameters, and
        ``initializer``, ``bias_initializer``, ``output_initializer``, ``random_state`` as in `NeuralNetClassifier`.

    Raises
    ------
    InvalidParameterError
        If `net` is not a skorch net.

    Examples
    --------
    >>> import skorch
    >>> import torch
    >>> from initsk.estimators import with_initializer
    >>> plain = skorch.NeuralNetRegressor(torch.nn.Linear, module__in_features=2, module__out_features=1)
    >>> net = with_initializer(plain, "zeros").initialize()
    >>> net.module_.weight.tolist()
    [[0.0, 0.0]]
    """
    if not isinstance(net, skorch.NeuralNet):
        raise InvalidParameterError(f"net={net!r} is not allowed (a skorch net)")
    if isinstance(net, WithInitializer):
        return net
    kind: Any = type(net)
    return _adopted(kind)(**net.get_params(deep=False), initializer=initializer, random_state=random_state)


@cache
def _adopted(kind: Any) -> Any:
    """Return a subclass of a net's class that has an initializer; pickle finds it through the net's class."""
    members = {"__module__": kind.__module__, "__doc__": kind.__doc__, "__reduce__": _reduce_adopted}
    return type(kind.__name__, (WithInitializer, kind), members)


def _reduce_adopted(net: Any) -> tuple[Any, ...]:
    return _empty_adopted, (type(net).__mro__[2],), net.__getstate__()


def _empty_adopted(kind: type) -> Any:
    adopted = _adopted(kind)
    return adopted.__new__(adopted)
