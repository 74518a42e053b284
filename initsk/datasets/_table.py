"""Loader of tables: the target column apart from the features."""

import re
from pathlib import Path
from typing import Any

import pandas as pd

from initsk.datasets._csv import read_csv
from initsk.datasets._parquet import read_parquet
from initsk.exceptions import DataFormatError, InvalidParameterError
from initsk.utils.files import as_path
from initsk.utils.validation import unknown_name
from initsk.utils.words import counted

# More columns are not listed in a message.
_MAX_LISTED = 12
# Characters of a value that a message shows.
_MAX_SHOWN = 40


def load_table(path: str | Path, target: str) -> tuple[pd.DataFrame, pd.Series]:
    """Load a CSV or Parquet file, and separate its target column from the features.

    Parameters
    ----------
    path : str or Path
        A file ending in ``.csv``, ``.csv.gz`` or ``.parquet``. A CSV file is UTF-8 text whose first line has the names
        of the columns; values that a row lacks at its end are missing values.
    target : str
        Name of the column to predict; all others must be numbers, or text that is a number in every row.

    Returns
    -------
    X : DataFrame
    y : Series

    Raises
    ------
    DataFormatError
        If the file cannot be read or is not a regular file, or has no rows or features; if two columns have the same
        name, a row has more values than the header, a feature is not numeric or is a copy of the target with almost the
        same name; or if the file expands to more than 200 times its size. The message names the file, and the column
        and the row where there is one. Rows are counted from 1, without the header.
    InvalidParameterError
        If the file has no target column.
    """
    path = as_path(path, error_class=DataFormatError)
    frame = read_parquet(path) if path.suffix.lower() == ".parquet" else read_csv(path)
    if target not in frame.columns:
        columns = ", ".join(map(repr, frame.columns[:_MAX_LISTED]))
        known = unknown_name("column", target, frame.columns) if frame.shape[1] <= _MAX_LISTED else None
        raise InvalidParameterError(f"{path}: {known or f'no column {target!r} (allowed: {columns}, ...)'}")
    X, y = frame.drop(columns=target), frame[target]
    if X.size == 0:
        rows, columns = counted(X.shape[0], "row"), counted(X.shape[1], "column")
        raise DataFormatError(f"{path}: has {rows} and {columns} besides the target")
    real = {dtype for dtype in set(X.dtypes) if _is_real(dtype)}
    other = {name: _first_other(X[name]) for name, dtype in X.dtypes.items() if dtype not in real}
    for name in [name for name, found in other.items() if found is None]:
        # Some numbers come as objects or text: decimals, and integers that are too long for numpy.
        X[name] = pd.to_numeric(X[name].astype(str), errors="coerce").astype(float)
    faults = [f"{name} {found}" for name, found in other.items() if found is not None]
    if faults:
        listed = ", ".join(faults[:5])
        raise DataFormatError(f"{path}: features must be numeric; not numeric: {listed}")
    for name in [name for name in X.columns if _plain(name) == _plain(target)]:
        if X[name].equals(y):
            raise DataFormatError(f"{path}: the column {name!r} is a copy of the target {target!r}; remove it")
    return X, y


def _is_real(dtype: Any) -> bool:
    return pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype)


def _first_other(values: pd.Series) -> str | None:
    """Return the first value that is no number, with its row, in parentheses; None if all are numbers or missing."""
    bad = values.notna()
    if pd.api.types.is_object_dtype(values) or pd.api.types.is_string_dtype(values):
        bad &= pd.to_numeric(values.astype(str), errors="coerce").isna()
    if not bad.any():
        return None
    row = int(bad.to_numpy().argmax())
    value = repr(values.iloc[row])
    return f"(row {row + 1}: {value if len(value) <= _MAX_SHOWN else value[:_MAX_SHOWN] + '...'})"


def _plain(name: str) -> str:
    """Return a name without spaces, case and the number that pandas gives to a second column of this name."""
    return re.sub(r"\.\d+$", "", name).strip().lower()
