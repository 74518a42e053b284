"""The fitted networks inside estimators that hold other estimators."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyRegressor
from sklearn.model_selection import FixedThresholdClassifier
from torch import nn

from initsk.exceptions import InitskError, InvalidParameterError, ModuleError
from initsk.utils.labels import describe_absent
from initsk.utils.precision import to_numpy
from initsk.utils.words import counted, listed

# The most networks that a message names.
_MAX_LISTED = 4


def inner_holder(estimator: Any) -> Any:
    """Return the estimator or the pipeline whose network is the only fitted one in an estimator; None without any.

    Raises
    ------
    ModuleError
        If there are several networks.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> inner_holder(TransformedTargetRegressor(LinearRegression())) is None
    True
    """
    found = dict(_holders(estimator, "", set()))
    if len(found) > 1:
        networks, names = counted(len(found), "network"), listed(list(found), _MAX_LISTED)
        raise ModuleError(f"{type(estimator).__name__} has {networks} (allowed: one of them: {names})")
    return next(iter(found.values()), None)


def unfitted_inner(estimator: Any) -> Any:
    """Return the estimator that an estimator fits as its only one, or None if there is none, or it fits several.

    It is a clone, as in the estimator's `fit`: the inner one may be fitted to targets of another unit.
    """
    inner = None
    if isinstance(estimator, TransformedTargetRegressor):
        inner = estimator.regressor
    elif isinstance(estimator, FixedThresholdClassifier):
        inner = estimator.estimator
    return None if inner is None else clone(inner)


def target_transformer(estimator: Any, X: Any, y: Any) -> Any:
    """Return the transformer of a TransformedTargetRegressor, fitted on y if it is not yet; None for others.

    It is None without y too.
    """
    if y is None or not isinstance(estimator, TransformedTargetRegressor):
        return None
    if hasattr(estimator, "transformer_"):
        return estimator.transformer_
    # This fits the transformer alone.
    with explained(_describe_absent, y):
        return clone(estimator).set_params(regressor=DummyRegressor()).fit(X, y).transformer_


def transformed(transformer: Any, y: Any) -> Any:
    """Return targets as the regressor in a TransformedTargetRegressor gets them."""
    values = to_numpy(y)
    with explained(_describe_absent, y):
        columns = transformer.transform(values[:, None] if values.ndim == 1 else values)
    return columns.ravel() if values.ndim == 1 and columns.shape[1:] == (1,) else columns


@contextmanager
def explained(describe: Callable[[Any], str | None], values: Any) -> Iterator[None]:
    """Raise InvalidParameterError with what `describe` says of the values if an estimator of scikit-learn refuses them.

    The error stays as it is if `describe` returns None.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        reason = None if isinstance(error, InitskError) else describe(values)
        if reason is None:
            raise
        raise InvalidParameterError(reason) from error


def _describe_absent(y: Any) -> str | None:
    return describe_absent("y", to_numpy(y))


def _holders(part: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """Yield path and estimator for each network, once."""
    for name, value in _fitted_attributes(part, path):
        if isinstance(value, nn.Module) or id(value) in seen:
            continue
        seen.add(id(value))
        module = getattr(getattr(value, "net_", value), "module_", None)
        if isinstance(module, nn.Module):
            if id(module) not in seen:
                seen.add(id(module))
                yield name, value
        elif hasattr(value, "steps"):
            for path_of_step, _ in _holders(value.steps[-1:], name, seen):
                yield path_of_step.rpartition("[")[0] or path_of_step, value
        else:
            yield from _holders(value, name, seen)


def _fitted_attributes(part: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield what an object holds: the items of a container, and the attributes that `fit` sets."""
    if isinstance(part, Mapping):
        yield from ((f"{path}[{key!r}]", value) for key, value in part.items())
    elif isinstance(part, list | tuple) or (isinstance(part, np.ndarray) and part.dtype == object):
        yield from ((f"{path}[{number}]", value) for number, value in enumerate(part))
    elif hasattr(part, "get_params") and not isinstance(part, type):
        names = [name for name in vars(part) if name.endswith("_") and not name.startswith("_")]
        yield from ((f"{path}.{name}".lstrip("."), vars(part)[name]) for name in names)
    elif type(part).__module__.startswith("sklearn.calibration"):
        # A pair of a fitted estimator and its calibrators, which is no estimator itself.
        yield f"{path}.estimator", getattr(part, "estimator", None)
