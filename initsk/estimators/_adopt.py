"""An initializer for any skorch net."""

from typing import Any

import skorch

from initsk.estimators._with_initializer import WithInitializer
from initsk.exceptions import InvalidParameterError
from initsk.initializers import InitializerLike
from initsk.utils._random import RandomState


def with_initializer(
    net: Any, initializer: InitializerLike | None = "he_normal", *, random_state: RandomState = None
) -> Any:
    """Return a skorch net of any class as one whose initializer is a hyperparameter.

    Parameters
    ----------
    net : skorch.NeuralNet
        Of any class; it stays as it is. One that has an initializer already is returned itself.
    initializer : str, Initializer, callable or None, default="he_normal"
        What fills the weights.
    random_state : int, RandomState, Generator or None, default=None
        Seed of weights, validation split, batch order and dropout.

    Returns
    -------
    skorch.NeuralNet
        Not initialized, of a class that derives from the net's own; the same parameters, and those of
        `NeuralNetClassifier`: ``initializer``, ``bias_initializer``, ``output_initializer``, ``random_state``.

    Raises
    ------
    InvalidParameterError
        If `net` is no skorch net.

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
    kind = type(net)
    adopted = type(kind.__name__, (WithInitializer, kind), {"__module__": kind.__module__, "__doc__": kind.__doc__})
    return adopted(**net.get_params(deep=False), initializer=initializer, random_state=random_state)
