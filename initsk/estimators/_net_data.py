"""The data of a net: labels as torch's losses need them, and tables as the module's input."""

import inspect
from typing import Any

import numpy as np
import pandas as pd
import skorch
import torch
from sklearn.utils.validation import column_or_1d
from torch import nn

from initsk.exceptions import InvalidParameterError
from initsk.network import get_criterion
from initsk.utils.columns import describe_not_numeric, has_dates
from initsk.utils.labels import check_numbers, check_present
from initsk.utils.precision import to_numpy

_LABELS = (
    "allowed: whole numbers 0, 1, ..., a number for each output of the module; make them of other labels with"
    " sklearn.preprocessing.LabelEncoder, or use MLPClassifier, which takes any labels"
)
_LABEL_TYPES = (np.ndarray, pd.Series, pd.Categorical, pd.Index, torch.Tensor, list)


def net_targets(net: Any, y: Any) -> Any:
    """Return labels of a classifier's net with a loss of classes as 64-bit integers; other targets unchanged.

    Floats with several columns are shares of the classes, and frames become arrays. A single column of labels becomes a
    vector, with scikit-learn's warning.

    Raises
    ------
    InvalidParameterError
        If labels are no whole numbers, or negative, if the targets of a regression are no numbers, or if targets are
        missing among Python objects.

    Examples
    --------
    >>> net = skorch.NeuralNetClassifier(nn.Linear)
    >>> net_targets(net, [True, False]), net_targets(net, np.array([0.0, 2.0]))
    (array([1, 0]), array([0, 2]))
    """
    y = y.to_numpy(copy=True) if isinstance(y, pd.DataFrame) else y
    if not isinstance(y, _LABEL_TYPES):
        return y
    if isinstance(net, skorch.NeuralNetRegressor) and not isinstance(y, torch.Tensor):
        check_numbers("y", y)
        if np.asarray(y).dtype == object:
            check_present("y", y)
    learns_classes = _learns_classes(net)
    if not learns_classes and not isinstance(net, skorch.NeuralNetBinaryClassifier):
        return y
    values = to_numpy(y)
    if values.ndim == 2 and values.shape[1] == 1:
        values = column_or_1d(values, warn=True)
    elif not learns_classes or (values.dtype.kind in "fc" and values.ndim > 1):
        return y
    if learns_classes:
        values = _class_numbers(net, values)
    return torch.as_tensor(values, device=y.device) if isinstance(y, torch.Tensor) else values


def _class_numbers(net: Any, values: np.ndarray) -> np.ndarray:
    """Return labels as numbers of classes, or raise InvalidParameterError if they are none."""
    if values.dtype == object:
        check_present("y", values)
    numbers = _whole_numbers(values)
    ignored = getattr(net, "criterion__ignore_index", getattr(net.criterion, "ignore_index", -100))
    wrong = numbers[(numbers < 0) & (numbers != ignored)]
    if wrong.size:
        raise InvalidParameterError(f"y has the label {wrong[0]} ({_LABELS})")
    return numbers


def _learns_classes(net: Any) -> bool:
    criterion = get_criterion(net.criterion)
    kind = criterion if isinstance(criterion, type) else type(criterion)
    is_classifier = isinstance(net, skorch.NeuralNetClassifier)
    return is_classifier and issubclass(kind, nn.CrossEntropyLoss | nn.NLLLoss)


def _whole_numbers(values: np.ndarray) -> np.ndarray:
    """Return integers, booleans, and floats and objects that are whole numbers, as 64-bit integers."""
    if values.dtype.kind in "biu":
        return values.astype(np.int64)
    if values.dtype.kind in "fO":
        other = next((value for value in values.ravel() if not _is_whole(value)), None)
        if other is None:
            return values.astype(np.int64)
    else:
        other = values.ravel()[0] if values.size else values.dtype
    shown = other.item() if isinstance(other, np.generic) else other
    raise InvalidParameterError(f"y has the label {shown!r} ({_LABELS})")


def _is_whole(value: Any) -> bool:
    return (
        isinstance(value, int | float | np.number | np.bool_) and bool(np.isreal(value)) and float(value).is_integer()
    )


def module_input(net: Any, X: Any) -> Any:
    """Return a frame of numbers as a matrix, or as columns that the module takes by name; other data unchanged.

    Raises
    ------
    InvalidParameterError
        If X has values that are no numbers.
    """
    if isinstance(X, np.ndarray) and X.dtype.kind in "OUSMm":
        raise InvalidParameterError(
            f"X is an array of the type {X.dtype} (allowed: numbers, such as X.astype(numpy.float32), or one column"
            " for each category, as sklearn.preprocessing.OneHotEncoder makes them)"
        )
    if not isinstance(X, pd.DataFrame):
        return X
    # torch warns of arrays that cannot be written, such as those of a frame.
    if _takes_names(net, X):
        return {str(name): X[name].to_numpy(copy=True).reshape(-1, 1) for name in X}
    reason = describe_not_numeric(X)
    if reason is not None or has_dates(X):
        raise InvalidParameterError(f"{reason or 'features must be numeric'} (allowed: columns of numbers)")
    if all(isinstance(dtype, np.dtype) and dtype.kind in "biu" for dtype in X.dtypes):
        return X.to_numpy(dtype=np.int64, copy=True)  # an embedding needs integers
    return X.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)


def _takes_names(net: Any, X: pd.DataFrame) -> bool:
    """Return whether the module's arguments have the names of the columns, as skorch passes them."""
    module = getattr(net, "module_", net.module)
    parameters = inspect.signature(getattr(module, "forward", module)).parameters
    kinds = {parameter.kind for parameter in parameters.values()}
    return inspect.Parameter.VAR_KEYWORD in kinds or set(map(str, X.columns)) <= set(parameters)


def as_type(values: Any, dtype: torch.dtype) -> Any:
    """Return floating-point tensors in another precision, and other values as they are."""
    return values.to(dtype) if isinstance(values, torch.Tensor) and values.is_floating_point() else values
