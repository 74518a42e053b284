"""Numbers that are not finite, or too large for single precision, in which networks compute."""

from typing import Any

import numpy as np

from initsk.utils.words import listed

#: The largest number of single precision.
LARGEST = float(np.finfo(np.float32).max)
# Types of torch.
_NOT_IN_NUMPY = ("torch.bfloat16", "torch.float8")
# Columns that a message lists.
_MAX_LISTED = 5


def matrix_types(X: Any, input_scale: float | None) -> list[type]:
    """Return the types that samples keep; samples of other types are converted to the first one.

    Samples that only `input_scale` brings into the range of single precision stay in double precision until they are
    scaled.

    Examples
    --------
    >>> [kind.__name__ for kind in matrix_types(np.array([[1e39]]), input_scale=1e-39)]
    ['float64']
    """
    if input_scale is None:
        return [np.float32]
    if getattr(X, "dtype", None) != np.float64 and not hasattr(X, "columns"):
        return [np.float32, np.uint8]
    with np.errstate(over="ignore"):
        values = _as_numbers(X)
        fits = values is None or _peak(values) <= LARGEST or not _peak(values) * input_scale <= LARGEST
    return [np.float32, np.uint8] if fits else [np.float64]


def widened(values: Any) -> Any:
    """Return a tensor of a type that numpy lacks, such as bfloat16, or a list of such tensors, in single precision.

    Everything else is returned as it is.

    Examples
    --------
    >>> import torch
    >>> widened(torch.ones(2, dtype=torch.bfloat16)), widened("text")
    (tensor([1., 1.]), 'text')
    """
    if isinstance(values, list | tuple) and values and hasattr(values[0], "numel"):
        return type(values)([widened(value) for value in values]) if widened(values[0]) is not values[0] else values
    return values.float() if str(getattr(values, "dtype", "")).startswith(_NOT_IN_NUMPY) else values


def to_numpy(values: Any) -> np.ndarray:
    """Return a tensor, or anything that numpy makes an array of, as an array.

    Examples
    --------
    >>> import torch
    >>> to_numpy(torch.ones(2, dtype=torch.bfloat16))
    array([1., 1.], dtype=float32)
    """
    values = widened(values)
    array: np.ndarray = values.numpy(force=True) if hasattr(values, "numel") else np.asarray(values)
    return array


def beyond_range(name: str, where: str, precision: str = "single precision", largest: float = LARGEST) -> str:
    """Return that an array has numbers which are too large for a precision, and what to do.

    Examples
    --------
    >>> beyond_range("X", "column 2")
    'X has numbers beyond the range of single precision (3.4e+38): column 2; divide by the largest value, or
    standardize'
    """
    return (
        f"{name} has numbers beyond the range of {precision} ({largest:.2g}): {where}; divide by the largest value,"
        " or standardize"
    )


def describe_too_large(X: Any, name: str = "X") -> str | None:
    """Return which columns have finite numbers that are too large for single precision, and what to do.

    None if there are none. Of arrays with more axes, return the first such sample.

    Examples
    --------
    >>> describe_too_large(np.array([[1.0, 1e39]]))
    'X has numbers beyond the range of single precision (3.4e+38): column 2 (row 1); divide by the largest value, or
    standardize'
    """
    values = _as_numbers(X)
    if values is None or not values.ndim:
        return None
    names = [repr(label) for label in X.columns] if hasattr(X, "columns") else None
    found = (np.abs(values) > LARGEST) & np.isfinite(values)
    if not found.any():
        return None
    return beyond_range(name, _place(found, names))


def describe_not_finite(X: Any, name: str = "X") -> str | None:
    """Return which columns have values that are not finite, and what to do; None if there are none.

    Of arrays with more axes, return the first such sample.

    Examples
    --------
    >>> describe_not_finite(np.array([[1.0, 2.0], [np.nan, 3.0]]))
    'X has NaN: column 1 (row 2); fill missing values, for example with sklearn.impute.SimpleImputer'
    """
    values = _as_numbers(X)
    if values is None or not values.ndim or np.isfinite(values).all():
        return None
    names = [repr(label) for label in X.columns] if hasattr(X, "columns") else None
    kinds = [
        ("NaN", np.isnan(values), "fill missing values, for example with sklearn.impute.SimpleImputer"),
        ("infinity", np.isinf(values), "replace infinite values"),
    ]
    parts = []
    for kind, found, step in kinds:
        if found.any():
            parts.append(f"{kind}: {_place(found, names)}; {step}")
    return f"{name} has {'; '.join(parts)}"


def nonfinite_in(values: Any) -> str:
    """Return which values of a tensor are not finite: "NaN", "infinity", "NaN and infinity", or "" if none is.

    Examples
    --------
    >>> import torch
    >>> nonfinite_in(torch.tensor([1.0, float("inf")]))
    'infinity'
    """
    return " and ".join(nonfinite_kinds(values))


def nonfinite_kinds(values: Any) -> list[str]:
    """Return "NaN" and "infinity", as far as a tensor has them.

    Examples
    --------
    >>> import torch
    >>> nonfinite_kinds(torch.tensor([1.0, float("nan")]))
    ['NaN']
    """
    found = {"NaN": values.isnan(), "infinity": values.isinf()}
    return [name for name, at in found.items() if bool(at.any())]


def columns_with(found: np.ndarray, names: list[str] | None = None) -> str:
    """Return the columns of a matrix in which something is found, each with the first row; both count from 1.

    Of a vector, return the first row.

    Examples
    --------
    >>> columns_with(np.array([[False, True], [True, True]]), ["'a'", "'b'"])
    "column 'a' (row 2), column 'b' (row 1)"
    """
    if found.ndim == 1:
        return f"row {int(found.argmax()) + 1}"
    columns = np.flatnonzero(found.any(axis=0)).tolist()
    rows = found.argmax(axis=0) + 1
    return listed([f"column {names[i] if names else i + 1} (row {rows[i]})" for i in columns], _MAX_LISTED)


def _place(found: np.ndarray, names: list[str] | None) -> str:
    """Return the columns of a matrix in which something is found; of an array with more axes, the first sample."""
    if found.ndim == 2:
        return columns_with(found, names)
    return columns_with(np.asarray(found.reshape(len(found), -1).any(axis=1)))


def _as_numbers(X: Any) -> np.ndarray | None:
    try:
        values = to_numpy(X)
        return values.astype(np.float64, copy=False) if values.dtype.kind in "biufO" else None
    except (TypeError, ValueError, OverflowError):
        return None


def _peak(values: np.ndarray) -> float:
    return float(max(values.max(initial=0), -values.min(initial=0)))
