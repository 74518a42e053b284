"""Samples as a data set has them, and their division into training and held-out parts."""

from math import prod
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import ColumnTransformer

from initsk.comparison.design import Arrays, hold_out
from initsk.exceptions import InvalidParameterError
from initsk.utils.columns import ABOUT_DATES, are_dates, first_not_numeric
from initsk.utils.validation import is_continuous


class Samples(NamedTuple):
    """Samples and targets; with held-out ones if the data set has them, the preparation of a table, and the task.

    Of images that became rows of pixels, `shape_in_file` is the shape that an image had.
    """

    X: Any
    y: np.ndarray
    X_val: Any = None
    y_val: np.ndarray | None = None
    preparation: ColumnTransformer | None = None
    task: str | None = None
    shape_in_file: tuple[int, ...] = ()

    @property
    def are_numbers(self) -> bool:
        """Whether the targets are numbers to predict, and no classes."""
        if self.task is not None:
            return self.task == "regression"
        return is_continuous(self.y, allow_float_classes=True)

    def for_task(self, task: str | None) -> "Samples":
        """Return samples with targets of the type that ``--task`` needs: floats to predict, or classes; None guesses.

        Raises
        ------
        InvalidParameterError
            If the targets do not fit the task.
        """
        y, y_val = self.y, self.y_val
        if task is None or self.are_numbers == (task == "regression"):
            return self._replace(task=task)
        if y.dtype.kind not in "biuf":
            step = f"; the target has dates: {ABOUT_DATES}" if are_dates(y) else _first_other(y)
            raise InvalidParameterError(
                f"--task regression: the target has the type {y.dtype} (allowed: numbers){step}"
            )
        if task == "classification" and any((part % 1 != 0).any() for part in (y, y_val) if part is not None):
            raise InvalidParameterError(
                "--task classification: the target has numbers with fractions (allowed: classes)"
            )
        kind = np.float64 if task == "regression" else np.int64
        return self._replace(y=y.astype(kind), y_val=None if y_val is None else y_val.astype(kind), task=task)

    def divided(self, seed: int) -> Arrays:
        """Return the training and the held-out part, prepared; a quarter is held out if the data have no such part."""
        X, y, X_val, y_val = self[:4]
        if X_val is None or y_val is None:
            X, y, X_val, y_val = hold_out(X, y, seed, stratify=not self.are_numbers)
        if self.preparation is not None:
            preparation = clone(self.preparation)
            X, X_val = preparation.fit_transform(X), preparation.transform(X_val)
        return X, y, X_val, y_val

    def shaped(self, shape: tuple[int, ...]) -> "Samples":
        """Return samples of this shape; an empty one changes nothing."""
        X, X_val = (None if X is None else shaped(X, shape, self.shape_in_file) for X in (self.X, self.X_val))
        return self._replace(X=X, X_val=X_val)


def _first_other(y: np.ndarray) -> str:
    """Return the first value that is no number, with its row."""
    other = first_not_numeric(pd.Series(y))
    return "" if other is None else "; row {} has {}".format(*other)


def shaped(X: np.ndarray, shape: tuple[int, ...], shape_in_file: tuple[int, ...] = ()) -> np.ndarray:
    """Return an array with samples of this shape; an empty one changes nothing.

    `shape_in_file` is the shape of a sample before it became a row.
    """
    if not shape:
        return X
    if prod(X.shape[1:]) != prod(shape):
        raise InvalidParameterError(f"--shape does not fit: the number of values of a sample is {prod(X.shape[1:])}")
    given = shape_in_file or X.shape[1:]
    if not _keeps_axes(given, shape):
        sizes, wanted = (",".join(map(str, sizes)) for sizes in (given, shape))
        raise InvalidParameterError(
            f"--shape {wanted} would mix up the values of samples of the shape {sizes}; change the order of the axes in"
            " the file instead, such as X.transpose(0, 3, 1, 2) for images with the channels last"
        )
    return X.reshape(len(X), *shape)


def _keeps_axes(given: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Return whether a shape of as many values only joins neighboring axes of another one, or divides single axes."""
    axes, wanted_axes = ([size for size in sizes if size != 1] for sizes in (given, wanted))
    ends, wanted_ends = (np.cumprod(sizes).tolist() for sizes in (axes, wanted_axes))
    start, wanted_start = 0, 0
    for end in sorted(set(ends) & set(wanted_ends)):
        stop, wanted_stop = ends.index(end) + 1, wanted_ends.index(end) + 1
        if stop - start > 1 and wanted_stop - wanted_start > 1:
            return False
        start, wanted_start = stop, wanted_stop
    return True
