"""Features that are not numeric, or sparse: columns with their first such value, and what to do."""

import datetime
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse

from initsk.utils.precision import describe_not_finite, describe_too_large

# Characters of a value that a message shows.
_MAX_SHOWN = 40
_MAX_COLUMNS = 5
# Where so many values of a target are numbers, the others are probably faults.
_NEARLY_ALL = 0.9
# A day, a month and a year of four digits in any order, such as 31.01.2024.
_DATE = re.compile(r"(\d{4}([./-])\d{1,2}\2\d{1,2}|\d{1,2}([./-])\d{1,2}\3\d{4})(?!\d)")
#: What to do with dates.
ABOUT_DATES = "make numbers of a date, such as its month or the days since a first day"

_DENSE_CODES = "sklearn.preprocessing.OneHotEncoder(sparse_output=False)"
_ABOUT_TEXT = (
    f"make numbers of text in a pipeline that begins with initsk.datasets.table_preparation(X) or {_DENSE_CODES}"
)


def not_numeric(frame: pd.DataFrame) -> dict[str, str]:
    """Return the first value that is no number of each column that has one, with its row, which counts from 1.

    Text that is a number is numeric, and so is a missing value.

    Examples
    --------
    >>> not_numeric(pd.DataFrame({"a": [1, 2], "b": ["1.5", "2"], "c": ["3", "x"]}))
    {'c': "row 2: 'x'"}
    """
    numeric = {dtype for dtype in set(frame.dtypes) if is_real(dtype)}
    found = {}
    for number, (name, dtype) in enumerate(frame.dtypes.items()):
        values = frame.iloc[:, number]
        if dtype not in numeric and (other := first_not_numeric(values)) is not None:
            found[str(name)] = "row {}: {}".format(*other)
    return found


def describe_not_numeric(X: Any) -> str | None:
    """Return which columns of a frame are not numeric, and what to do; None if there are none, or no frame.

    Examples
    --------
    >>> describe_not_numeric(pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})).partition(";")[2]
    " not numeric: b (row 1: 'x'); make numbers of text in a pipeline that begins with
    initsk.datasets.table_preparation(X) or sklearn.preprocessing.OneHotEncoder(sparse_output=False)"
    """
    found = not_numeric(X) if isinstance(X, pd.DataFrame) else {}
    if not found:
        return None
    listed = ", ".join(f"{name} ({value})" for name, value in list(found.items())[:_MAX_COLUMNS])
    rest = f", and {len(found) - _MAX_COLUMNS} more" if len(found) > _MAX_COLUMNS else ""
    columns = [X.iloc[:, number] for number, name in enumerate(X.columns) if str(name) in found]
    dated = [are_dates(column) for column in columns]
    has_text = any(_is_text(column) and not is_date for column, is_date in zip(columns, dated, strict=True))
    steps = [*([ABOUT_DATES] if any(dated) else []), *([_ABOUT_TEXT] if has_text else [])]
    return "; ".join([f"features must be numeric; not numeric: {listed}{rest}", *steps])


def describe_unusable(X: Any, name: str = "X") -> str | None:
    """Return why X is no matrix of finite numbers of single precision, and what to do; None if it is one.

    Examples
    --------
    >>> describe_unusable(np.eye(2)) is None
    True
    """
    # A sparse matrix can be a mapping as well.
    reason = _describe_sparse(X, name) or _describe_several(X, name) or describe_too_large(X, name)
    return reason or describe_not_numeric(X) or describe_not_finite(X, name)


def _describe_several(X: Any, name: str) -> str | None:
    if not isinstance(X, Mapping):
        return None
    return (
        f"{name} is a {type(X).__name__} (allowed: a matrix, with a row per sample; a torch module or a skorch net may"
        f" take several inputs by name, and pandas.DataFrame({name}) makes a table of columns)"
    )


def _describe_sparse(X: Any, name: str) -> str | None:
    if not issparse(X):
        return None
    return (
        f"{name} is a sparse matrix (allowed: a dense one, such as {name}.toarray(); in a pipeline, a transformer with"
        f" dense output, such as {_DENSE_CODES})"
    )


def has_dates(X: Any) -> bool:
    """Return whether a frame has columns of dates or durations, which numpy would take for numbers."""
    return isinstance(X, pd.DataFrame) and any(getattr(dtype, "kind", "") in "mM" for dtype in X.dtypes)


def has_times(y: Any) -> bool:
    """Return whether targets are times, durations or periods, which numpy would take for numbers.

    Examples
    --------
    >>> has_times(pd.date_range("2024-01-31", periods=2, tz="UTC")), has_times([1, 2])
    (True, False)
    """
    if has_dates(y) or getattr(getattr(y, "dtype", None), "kind", None) in ("m", "M"):
        return True
    first = next(iter(y), None) if isinstance(y, list | tuple | pd.Index | pd.Series) else None
    return isinstance(first, datetime.date | datetime.timedelta | np.datetime64 | np.timedelta64 | pd.Period)


def are_dates(values: Any) -> bool:
    """Return whether the first value of an array or a column is a date, also one that is a text.

    Examples
    --------
    >>> [are_dates(np.array([value])) for value in ("2024-01-31", "31.01.2024", "blue", 20240131)]
    [True, True, False, False]
    """
    values = pd.Series(values)
    if getattr(values.dtype, "kind", "") == "M" or isinstance(values.dtype, pd.PeriodDtype):
        return True
    first = values.dropna().head(1)
    if first.empty or is_real(values.dtype):
        return False
    text = str(first.iloc[0])
    is_iso = len(text) >= 8 and not pd.isna(pd.to_datetime(text, errors="coerce", format="ISO8601"))
    return is_iso or bool(_DATE.match(text))


def is_real(dtype: Any) -> bool:
    """Return whether the values of a type are real numbers or booleans."""
    return pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype)


def _is_text(values: pd.Series) -> bool:
    is_category = isinstance(values.dtype, pd.CategoricalDtype)
    return is_category or pd.api.types.is_object_dtype(values) or pd.api.types.is_string_dtype(values)


def first_not_numeric(values: pd.Series) -> tuple[int, str] | None:
    """Return the first value of a column that is no number, as text after its row; None if there is none.

    Text that is a number is numeric, and so is a missing value. Rows count from 1.

    Examples
    --------
    >>> first_not_numeric(pd.Series(["1", None, "x"]))
    (3, "'x'")
    """
    bad = values.notna()
    if _is_text(values):
        bad &= pd.to_numeric(values.astype(str), errors="coerce").isna()
    if not bad.any():
        return None
    row = int(bad.to_numpy().argmax())
    value = values.iloc[row]
    shown = str(value) if hasattr(value, "isoformat") else repr(value)
    return row + 1, shown if len(shown) <= _MAX_SHOWN else f"{shown[:_MAX_SHOWN]}..."


def text_among_numbers(values: Any) -> str:
    """Return the first text of a target whose other values are nearly all numbers, after its row; "" otherwise.

    Examples
    --------
    >>> text_among_numbers([*map(str, range(40)), "n/a"]), text_among_numbers(["1", "2", "x"])
    ("row 41 has 'n/a'", '')
    """
    values = pd.Series(values)
    if not _is_text(values):
        return ""
    n_numbers = int(pd.to_numeric(values.astype(str), errors="coerce").notna().sum())
    if n_numbers == len(values) or n_numbers < _NEARLY_ALL * len(values):
        return ""
    other = first_not_numeric(values)
    return "" if other is None else "row {} has {}".format(*other)
