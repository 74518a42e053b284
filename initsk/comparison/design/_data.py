"""The data of a comparison: checked once, before any time is spent."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from skorch.utils import multi_indexing

from initsk.comparison.design._runs import Block, folded_blocks, held_out_blocks
from initsk.exceptions import InvalidParameterError
from initsk.utils.validation import check_known_labels

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Data:
    """Samples and targets, and those held out for all runs, if it is not folds that are."""

    X: Any
    y: Any
    X_val: Any = None
    y_val: Any = None

    def parts(self, block: Block) -> tuple[Any, Any, Any, Any]:
        """Return X and y to train on, and those to test on, of one block."""
        if block.train is None:
            return self.X, self.y, self.X_val, self.y_val
        return tuple(multi_indexing(part, rows) for rows in (block.train, block.test) for part in (self.X, self.y))


def hold_out(X: Any, y: Any, seed: int, *, by_class: bool = True) -> Arrays:
    """Hold out a quarter of the samples; `by_class` with every class in both parts.

    Raises
    ------
    InvalidParameterError
        If a class has a single sample, or there are fewer samples than classes to share out.
    """
    if by_class:
        _check_classes(y)
    rows = np.arange(n_samples(y))
    try:
        rest, out = train_test_split(rows, test_size=0.25, stratify=y if by_class else None, random_state=seed % 2**32)
    except ValueError as error:
        raise InvalidParameterError(
            f"the data cannot be split{' by class' * by_class}: {_first_line(error)}"
        ) from error
    X, X_val = (multi_indexing(X, part) for part in (rest, out))
    y, y_val = (multi_indexing(y, part) for part in (rest, out))
    return X, y, X_val, y_val


def split_data(
    data: Data, cv: Any, groups: Any, *, by_class: bool, n_repeats: int, seed: int
) -> tuple[Data, list[Block]]:
    """Return the data with what is held out, and the repeats and folds that they are seen in.

    Raises
    ------
    InvalidParameterError
        If the data cannot be split so.
    """
    if groups is not None and cv is None:
        raise InvalidParameterError("groups are for a cv that keeps them together; cv is not given")
    if cv is not None and data.X_val is not None:
        raise InvalidParameterError("cv and X_val exclude each other: either folds are held out, or X_val is")
    if cv is not None:
        return data, folded_blocks(cv, data.X, data.y, groups, by_class, n_repeats, seed)
    if data.X_val is None:
        data = Data(*hold_out(data.X, data.y, seed, by_class=by_class))
    return data, held_out_blocks(n_repeats, seed)


def check_data(X: Any, y: Any, X_val: Any, y_val: Any, *, types: list[type] | None, by_class: bool) -> Data:
    """Return the data, X as a matrix where `types` of its values are given; nothing is held out yet.

    Raises
    ------
    InvalidParameterError
        If anything is wrong that would make every run fail; the message says what.
    """
    if (X_val is None) != (y_val is None):
        raise InvalidParameterError("X_val and y_val go together; only one of them was given")
    names = [list(part.columns) if hasattr(part, "columns") else None for part in (X, X_val)]
    if None not in names and names[0] != names[1]:
        raise InvalidParameterError(f"X_val has the columns {names[1]}, X has {names[0]}")
    X, y = _check_pair("X", X, "y", y, types, by_class)
    if X_val is None:
        return Data(X, y)
    X_val, y_val = _check_pair("X_val", X_val, "y_val", y_val, types, by_class)
    if types and X_val.shape[1] != X.shape[1]:
        raise InvalidParameterError(f"X_val has {X_val.shape[1]} features, X has {X.shape[1]}")
    if by_class:
        check_known_labels("y_val", y_val, y)
    return Data(X, y, X_val, y_val)


def n_samples(values: Any) -> int:
    """Return the number of samples of an array, a frame, or a mapping or tuple of several inputs."""
    if isinstance(values, dict):
        values = next(iter(values.values()))
    elif isinstance(values, tuple):
        values = values[0]
    if hasattr(values, "shape"):
        return int(values.shape[0])
    return len(values)


def _check_pair(name: str, X: Any, target: str, y: Any, types: list[type] | None, by_class: bool) -> tuple[Any, Any]:
    try:
        if isinstance(X, list):
            X = np.asarray(X)
        if types:
            X = check_array(X, dtype=types, input_name=name)
        if by_class:
            y = column_or_1d(y)
        if n_samples(X) != n_samples(y):
            raise ValueError(f"inconsistent numbers of samples: {n_samples(X)} and {n_samples(y)}")
        missing = int(pd.isna(np.asarray(y)).sum())
        if missing:
            raise InvalidParameterError(f"{target} has {missing} missing values")
        if by_class:
            check_classification_targets(y)
    except (TypeError, ValueError) as error:
        raise InvalidParameterError(f"{name} and {target}: {_first_line(error)}") from error
    return X, y


def _check_classes(y: Any) -> None:
    labels, counts = np.unique(y, return_counts=True)
    if counts.min(initial=2) < 2:
        single = ", ".join(map(repr, labels[counts < 2][:3].tolist()))
        raise InvalidParameterError(
            f"the data cannot be split by class: {(counts < 2).sum()} of {len(labels)} classes have a single sample"
            f" ({single}{', ...' if (counts < 2).sum() > 3 else ''}); a target of continuous numbers has no classes"
        )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
