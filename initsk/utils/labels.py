"""Checks of targets: which values can be classes, which are no numbers, and which are missing."""

from decimal import Decimal
from math import inf, isnan
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from initsk.exceptions import InvalidParameterError
from initsk.utils.columns import ABOUT_DATES, are_dates, has_times
from initsk.utils.words import counted

_ALLOWED = "allowed: an array of text, numbers, truth values, or times without a time zone"

# scikit-learn's words for lists of labels.
_LISTS_OF_LABELS = (
    "sequences of sequences are no longer supported: for several labels per sample, use a binary array, as the"
    " MultiLabelBinarizer transformer makes it"
)


def check_labels(name: str, y: Any) -> None:
    """Raise InvalidParameterError if labels are missing, or of a type that classes cannot have.

    The shape, and missing values among numbers, are not checked.

    Examples
    --------
    >>> check_labels("y", ["a", "b"])
    >>> check_labels("y", [{"a": 1}, {"b": 2}])
    Traceback (most recent call last):
    ...
    initsk.exceptions.InvalidParameterError: Unknown label type: y has a value of the type dict (row 1); allowed: an
    array of text, numbers, truth values, or times without a time zone
    """
    if np.ma.is_masked(y):
        _refuse_missing(name, np.ma.getmaskarray(y))
    if getattr(getattr(y, "dtype", None), "kind", "O") in "biuf":
        return
    try:
        values = np.asarray(y)
    except ValueError as error:
        raise InvalidParameterError(
            f"{name} has lists of different lengths ({_ALLOWED}; {_LISTS_OF_LABELS})"
        ) from error
    if values.ndim == 1 and values.dtype.kind == "U" and isinstance(y, list | tuple):
        # numpy makes the text "nan" of it.
        _refuse_missing(name, np.array([isinstance(value, float) and isnan(value) for value in y], bool))
    if values.ndim != 1 or values.dtype.kind in "biufU":
        return
    if values.dtype.kind in "Mm" and np.datetime_data(values.dtype)[0] != "generic":
        _refuse_missing(name, np.isnat(values))
        return
    if values.dtype.kind == "O":
        _refuse_missing(name, _missing_in(values))
    for row, value in enumerate(values, start=1):
        if not isinstance(value, str):
            inside = ", in an array of Python objects" if isinstance(value, int | float) else ""
            kind = f"{name} has a value of the type {type(value).__name__} (row {row}{inside})"
            # scikit-learn's words, which its checks of estimators look for.
            words = "Complex data not supported" if isinstance(value, complex) else "Unknown label type"
            hint = f"; {_LISTS_OF_LABELS}" if isinstance(value, list | tuple | set | frozenset) else ""
            raise InvalidParameterError(f"{words}: {kind}; {_ALLOWED}{hint}")


def check_numbers(name: str, y: Any) -> None:
    """Raise InvalidParameterError if the targets of a regression are no real numbers.

    Missing values are not checked.

    Examples
    --------
    >>> check_numbers("y", [0.5, None])
    >>> check_numbers("y", ["low", "high"])
    Traceback (most recent call last):
    ...
    initsk.exceptions.InvalidParameterError: y has text, the first in row 1: 'low' (allowed: numbers; for classes, use a
    classifier, such as MLPClassifier)
    """
    if getattr(getattr(y, "dtype", None), "kind", "O") in "biufV":
        return
    try:
        values = np.asarray(y)
    except ValueError as error:
        raise InvalidParameterError(f"{name} has rows of different lengths (allowed: numbers, in an array)") from error
    if has_times(y) or (values.ndim == 1 and are_dates(values)):
        raise InvalidParameterError(f"{name} has dates or durations (allowed: numbers); {ABOUT_DATES}")
    if values.dtype.kind == "c":
        raise InvalidParameterError(f"Complex data not supported: {name} has complex numbers (allowed: real numbers)")
    if values.dtype.kind not in "OUS":
        return
    for row, value in enumerate(values.reshape(len(values), -1).tolist() if values.ndim else [], start=1):
        other = next((one for one in value if not isinstance(one, Real | Decimal) and not pd.isna(one)), None)
        if other is not None:
            kind = "text" if isinstance(other, str | bytes) else f"a value of the type {type(other).__name__}"
            hint = "; for classes, use a classifier, such as MLPClassifier" if kind == "text" else ""
            raise InvalidParameterError(
                f"{name} has {kind}, the first in row {row}: {other!r} (allowed: numbers{hint})"
            )


def check_present(name: str, y: Any) -> None:
    """Raise InvalidParameterError if targets are missing or infinite.

    Examples
    --------
    >>> check_present("y", np.array([0.5, np.nan]))
    Traceback (most recent call last):
    ...
    initsk.exceptions.InvalidParameterError: y has 1 missing value; the first is in row 2; leave out the samples without
    a target, such as data.dropna(subset=["y"])
    """
    reason = describe_absent(name, y)
    if reason is not None:
        raise InvalidParameterError(reason)


def check_given(estimator: Any, y: Any) -> None:
    """Raise InvalidParameterError, in scikit-learn's words, if y is None.

    Examples
    --------
    >>> check_given(object(), [0, 1])
    """
    if y is None:
        raise InvalidParameterError(
            f"This {type(estimator).__name__} estimator requires y to be passed, but the target y is None."
        )


def describe_absent(name: str, y: Any) -> str | None:
    """Return which targets are missing or infinite, and what to do; None if none is, or if y has no rows.

    Examples
    --------
    >>> describe_absent("y", [1.0, np.inf])
    'y has 1 infinite value; the first is in row 2; leave out these samples, or replace the values'
    """
    try:
        values = np.asarray(y)
    except (TypeError, ValueError, RuntimeError):  # lists of different lengths, tensors with a gradient
        return None
    if values.dtype.kind == "V" or not values.ndim:
        return None
    return _describe_missing(name, _missing_in(values)) or _describe(
        name, _infinite_in(values), "infinite value", "; leave out these samples, or replace the values"
    )


def _missing_in(values: np.ndarray) -> np.ndarray:
    """Return which values are missing, in an array of the same shape."""
    if values.dtype.kind == "O":
        # pandas compares values with themselves, and that raises for a signaling NaN.
        known = [None if isinstance(value, Decimal) and value.is_nan() else value for value in values.ravel()]
        values = np.fromiter(known, object, len(known)).reshape(values.shape)
    return np.asarray(pd.isna(values), bool)


def _infinite_in(values: np.ndarray) -> np.ndarray:
    """Return which values are infinite, in an array of the same shape."""
    if values.dtype.kind == "O":
        found = [isinstance(value, Real | Decimal) and value in (inf, -inf) for value in values.ravel()]
        return np.array(found, bool).reshape(values.shape)
    return np.isinf(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)


def _refuse_missing(name: str, missing: np.ndarray) -> None:
    reason = _describe_missing(name, missing)
    if reason is not None:
        raise InvalidParameterError(reason)


def _describe_missing(name: str, missing: np.ndarray) -> str | None:
    is_target = name in ("y", "y_val")
    step = '; leave out the samples without a target, such as data.dropna(subset=["y"])' if is_target else ""
    return _describe(name, missing, "missing value", step)


def _describe(name: str, found: np.ndarray, kind: str, step: str) -> str | None:
    if not found.any():
        return None
    first = int(found.reshape(len(found), -1).any(axis=1).argmax()) + 1
    return f"{name} has {counted(int(found.sum()), kind)}; the first is in row {first}{step}"


def has_majority(counts: np.ndarray) -> bool:
    """Return whether a class has at least half of the samples, and three times as many as the others on average.

    Examples
    --------
    >>> has_majority(np.array([8, 2])), has_majority(np.array([0.6, 0.4])), has_majority(np.array([5]))
    (True, False, False)
    """
    if len(counts) < 2:
        return False
    most, others = counts.max(), (counts.sum() - counts.max()) / (len(counts) - 1)
    return bool(2 * most >= counts.sum() and most >= 3 * others)
