"""Description of a model and its samples, for the report of a network."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from initsk.network._batches import several_targets
from initsk.network._inputs import arrays_in, is_stream
from initsk.network._model import Model, innermost
from initsk.network._nets import has_own_loss
from initsk.utils.precision import to_numpy
from initsk.utils.validation import is_continuous
from initsk.utils.versions import versions


def describe_model(given: Any, found: Model, X: Any = None) -> dict[str, Any]:
    """Return the settings of a report on a network, as `ComparisonResult.settings` has those of a comparison.

    Parameters
    ----------
    given : torch.nn.Module or estimator
        The model as it was given.
    found : Model
        What `get_model` returned for it.
    X : array-like, optional
        The samples.

    Returns
    -------
    dict
        model, fitted (None for a module, which does not tell), initializer (of an estimator that has one), n_weights,
        data_shape (with samples), versions.

    Examples
    --------
    >>> import numpy as np
    >>> module = nn.Linear(2, 1)
    >>> settings = describe_model(module, Model(module), np.zeros((5, 2)))
    >>> {name: settings[name] for name in ("model", "fitted", "n_weights", "data_shape")}
    {'model': 'Linear', 'fitted': None, 'n_weights': 3, 'data_shape': '5 x 2'}
    """
    holder = found.module if isinstance(given, Model) else innermost(given)
    settings: dict[str, Any] = {"model": type(holder).__name__, "fitted": is_fitted(found)}
    initializer = getattr(holder, "initializer", None)
    if not isinstance(holder, nn.Module) and initializer is not None:
        settings["initializer"] = str(initializer)
    # A lazy parameter has no size before its layer runs.
    sized = (p for p in found.module.parameters() if not isinstance(p, nn.UninitializedParameter))
    settings["n_weights"] = sum(parameter.numel() for parameter in sized)
    if X is not None:
        settings["data_shape"] = _shape_of(X)
    return settings | {"versions": versions()}


def is_fitted(found: Model) -> bool | None:
    """Return whether the net of an estimator has trained for an epoch; None without an estimator.

    Parameters
    ----------
    found : Model

    Examples
    --------
    >>> is_fitted(Model(nn.Linear(2, 1))) is None
    True
    """
    history = getattr(found.net, "history", None)
    return None if history is None else len(history) > 0


def _shape_of(X: Any) -> str:
    """Return the shape of an array, those of several arrays with their names, or the type of anything else."""
    if not hasattr(X, "shape") and (is_stream(X) or isinstance(X, list)):
        return type(X).__name__ if is_stream(X) else str(len(X))
    arrays = {"X": X} if hasattr(X, "shape") else arrays_in(X)
    shapes = {name: " x ".join(map(str, array.shape)) for name, array in arrays.items() if hasattr(array, "shape")}
    if list(shapes) == ["X"]:
        return shapes["X"]
    return ", ".join(f"{name}: {shape}" for name, shape in shapes.items()) or type(X).__name__


def name_of_loss(net: Any, criterion: Any, y: Any) -> str:
    """Return the name of the loss: the given one, that of the estimator, or the usual one; "" if there is none.

    Parameters
    ----------
    net : skorch net or None
    criterion : callable or None
        The loss that was given.
    y : array-like or None
        Targets.

    Examples
    --------
    >>> import numpy as np
    >>> name_of_loss(None, nn.L1Loss(), None), name_of_loss(None, None, np.array([0.5])), name_of_loss(None, None, None)
    ('L1Loss', 'MSELoss', '')
    """
    if criterion is None and has_own_loss(net):
        return ""
    criterion = criterion or getattr(net, "criterion_", None)
    if criterion is not None and not isinstance(criterion, Mapping):
        return getattr(criterion, "__name__", type(criterion).__name__)
    if y is None or several_targets(y):
        return ""
    return "MSELoss" if is_continuous(to_numpy(y)) else "CrossEntropyLoss"
