"""Checks of the data that ``--dataset`` names; each message says which file, column and row."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path

import numpy as np
import pandas as pd

from initsk.cli._samples import Samples
from initsk.comparison.design import Arrays
from initsk.exceptions import InitskError, InvalidParameterError
from initsk.utils.labels import check_labels
from initsk.utils.precision import columns_with, describe_too_large
from initsk.utils.words import counted, listed

_COUNTED = "rows and columns count from 1, without a header"
_WITHOUT_TARGET = "; leave the samples without a target out of the file"
_WITHOUT_INFINITE = "; replace infinite values, or leave these samples out of the file"


@contextmanager
def named(dataset: str, option: str = "") -> Iterator[None]:
    """Begin the message of every refusal with the data set, unless the message names it already.

    With an `option`, the message begins with the option and the data set.
    """
    try:
        yield
    except MemoryError as error:
        raise InvalidParameterError(f"{dataset}: the data do not fit in the memory of this machine") from error
    except InitskError as error:
        if option:
            message = str(error).removeprefix(f"{Path(dataset)}: ")
            raise type(error)(f"{option} {dataset}: {message}") from error
        if str(error).startswith((dataset, str(Path(dataset)), "--")):
            raise
        raise type(error)(f"{dataset}: {error}") from error


def check_complete(y: pd.Series, name: str) -> None:
    """Raise InvalidParameterError unless no value of a column is missing or infinite."""
    infinite = np.isinf(y.to_numpy()) if y.dtype.kind == "f" else np.zeros(len(y), bool)
    _refuse("the table", y.isna().to_numpy()[:, None], infinite[:, None], [name], _WITHOUT_TARGET)


def check_samples(X: np.ndarray, name: str) -> None:
    """Raise InvalidParameterError unless there are samples, and all values are finite numbers."""
    if X.dtype.kind not in "biuf":
        raise InvalidParameterError(f"{name} has the type {X.dtype} (allowed: numbers)")
    if X.ndim < 2 or X.size == 0:
        raise InvalidParameterError(f"{name} has the shape {X.shape} (allowed: a row of values for each sample)")
    _check_finite(X, name)


def check_target(y: np.ndarray, name: str) -> None:
    """Raise InvalidParameterError unless all targets are labels, or finite numbers of single precision."""
    check_labels(name, y)
    _check_finite(y, name, _WITHOUT_TARGET)
    check_range(y, name)


def check_range(X: np.ndarray, name: str) -> None:
    """Raise InvalidParameterError if single precision, in which networks compute, does not have the values."""
    too_large = describe_too_large(_matrix(X), name) if X.dtype.kind == "f" else None
    if too_large is not None:
        raise InvalidParameterError(f"{too_large}; {_COUNTED}")


def check_for_perceptron(data: Arrays | Samples) -> None:
    """Raise InvalidParameterError unless a multilayer perceptron takes the data: a matrix, and one target a row."""
    X, y, X_val, _ = data[:4]
    if X.ndim != 2:
        hint = f"; --shape {prod(X.shape[1:])} makes a row of each" if X.ndim > 2 else ""
        raise InvalidParameterError(f"X has the shape {X.shape} (allowed: a row of values for each sample{hint})")
    if X_val is not None and (X_val.ndim != 2 or X_val.shape[1] != X.shape[1]):
        raise InvalidParameterError(f"X_val has the shape {X_val.shape}, and X has the shape {X.shape}")
    if y.ndim != 1:
        raise InvalidParameterError(f"y has the shape {y.shape} (allowed: one target for each sample)")


def check_classes(data: Arrays, limit: int | None = None, test: Path | None = None) -> None:
    """Raise InvalidParameterError unless the training part has all classes of the held-out part, that of `test`."""
    _, y, _, y_val = data
    missing = np.setdiff1d(y_val, y).tolist()
    if missing:
        held_out = "the held-out samples" if test is None else f"--test {test}: its samples"
        lacks = f"{held_out} have {counted(len(missing), 'class', 'classes')} that no training sample has"
        labels = listed([repr(label) for label in missing], 5)
        drawn = f"; --limit {limit} leaves {counted(len(y), 'training sample')}: use more" if limit else ""
        raise InvalidParameterError(f"{lacks} ({labels}){drawn}")


def _check_finite(values: np.ndarray, name: str, step: str = "") -> None:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        _refuse(name, np.isnan(_matrix(values)), np.isinf(_matrix(values)), step=step)


def _matrix(values: np.ndarray) -> np.ndarray:
    """Return an array of more than two dimensions with a row for each sample."""
    return values if values.ndim < 3 else values.reshape(len(values), -1)


def _refuse(
    name: str, missing: np.ndarray, infinite: np.ndarray, columns: list[str] | None = None, step: str = ""
) -> None:
    """Refuse missing and infinite values, if there are any, with their columns and rows.

    `step` is what to do about missing ones.
    """
    names = [repr(column) for column in columns] if columns else None
    kinds = {"missing values (NaN)": missing, "infinite values": infinite}
    where = [f"{kind}: {columns_with(found, names)}" for kind, found in kinds.items() if found.any()]
    if where:
        steps = f"{step if missing.any() else ''}{_WITHOUT_INFINITE if infinite.any() else ''}"
        raise InvalidParameterError(f"{name} has {'; '.join(where)}; {_COUNTED}{steps}")
