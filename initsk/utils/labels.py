"""Types of labels: which values can be classes."""

from math import isnan
from typing import Any

import numpy as np
import pandas as pd

from initsk.exceptions import InvalidParameterError
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
        _refuse_missing(name, np.array([value is None or value is pd.NA or value is pd.NaT for value in values], bool))
    for row, value in enumerate(values, start=1):
        if not isinstance(value, str):
            inside = ", in an array of Python objects" if isinstance(value, int | float) else ""
            kind = f"{name} has a value of the type {type(value).__name__} (row {row}{inside})"
            # scikit-learn's words, which its checks of estimators look for.
            words = "Complex data not supported" if isinstance(value, complex) else "Unknown label type"
            hint = f"; {_LISTS_OF_LABELS}" if isinstance(value, list | tuple | set | frozenset) else ""
            raise InvalidParameterError(f"{words}: {kind}; {_ALLOWED}{hint}")


def _refuse_missing(name: str, missing: np.ndarray) -> None:
    if missing.any():
        first = int(missing.argmax()) + 1
        count = counted(int(missing.sum()), "missing value")
        raise InvalidParameterError(f"{name} has {count}; the first is in row {first}")
