"""The data of a comparison: checked once, before any time is spent."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from initsk.exceptions import InvalidParameterError
from initsk.utils._validation import check_known_labels

Data = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def hold_out(X: Any, y: Any, seed: int) -> Data:
    """Hold out a quarter of the samples, with every class in both parts.

    Raises
    ------
    InvalidParameterError
        If a class has a single sample, or there are fewer samples than classes to share out.
    """
    labels, counts = np.unique(y, return_counts=True)
    if counts.min(initial=2) < 2:
        single = ", ".join(map(repr, labels[counts < 2][:3].tolist()))
        raise InvalidParameterError(
            f"the data cannot be split by class: {(counts < 2).sum()} of {len(labels)} classes have a single sample"
            f" ({single}{', ...' if (counts < 2).sum() > 3 else ''}); a target of continuous numbers has no classes"
        )
    try:
        X, X_test, y, y_test = train_test_split(X, y, test_size=0.25, stratify=y, random_state=seed % 2**32)
    except ValueError as error:
        raise InvalidParameterError(f"the data cannot be split by class: {_first_line(error)}") from error
    return X, y, X_test, y_test


def check_data(X: Any, y: Any, X_test: Any, y_test: Any, seed: int) -> Data:
    """Return float32 samples and labels for training and for testing; without test data a quarter is held out.

    Raises
    ------
    InvalidParameterError
        If anything is wrong that would make every run fail; the message says what.
    """
    if (X_test is None) != (y_test is None):
        raise InvalidParameterError("X_test and y_test go together; only one of them was given")
    X, y = _check_pair("X", X, "y", y)
    if X_test is None:
        return hold_out(X, y, seed)
    X_test, y_test = _check_pair("X_test", X_test, "y_test", y_test)
    if X_test.shape[1] != X.shape[1]:
        raise InvalidParameterError(f"X_test has {X_test.shape[1]} features, X has {X.shape[1]}")
    check_known_labels("y_test", y_test, y)
    return X, y, X_test, y_test


def _check_pair(name: str, X: Any, target: str, y: Any) -> tuple[np.ndarray, np.ndarray]:
    try:
        X = check_array(X, dtype=np.float32, input_name=name)
        y = column_or_1d(y)
        check_consistent_length(X, y)
        missing = int(pd.isna(y).sum())
        if missing:
            raise InvalidParameterError(f"{target} has {missing} missing values")
        check_classification_targets(y)
    except (TypeError, ValueError) as error:
        raise InvalidParameterError(f"{name} and {target}: {_first_line(error)}") from error
    return X, y


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
