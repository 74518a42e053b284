"""Readers of tables: all columns as they are, or numbers with the target column apart."""

import re
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

from initsk.datasets._arff import read_arff
from initsk.datasets._csv import read_csv
from initsk.datasets._parquet import read_parquet
from initsk.exceptions import DataFormatError, DataFormatWarning, InvalidParameterError
from initsk.utils.columns import describe_not_numeric, is_real
from initsk.utils.files import as_path
from initsk.utils.validation import allow, check_parameters, unknown_name
from initsk.utils.words import counted

# The name that pandas gives to a column without one.
_UNNAMED = re.compile(r"Unnamed: \d+(\.\d+)*")
# More columns are not listed in a message.
_MAX_LISTED = 30
#: The endings of the names of files that `read_table` reads.
TABLE_SUFFIXES = (
    ".csv",
    ".csv.gz",
    ".tsv",
    ".tsv.gz",
    ".txt",
    ".txt.gz",
    ".dat",
    ".dat.gz",
    ".parquet",
    ".pq",
    ".arff",
    ".arff.gz",
)
_CONSTRAINTS = {
    "sep": allow(
        lambda value: value is None or _is_separator(value),
        "one character that is no letter, digit, quote or end of a line; or None",
    ),
    "decimal": allow(lambda value: value is None or value in (".", ","), "'.', ',' or None"),
}


def read_table(path: str | Path, sep: str | None = None, decimal: str | None = None) -> pd.DataFrame:
    r"""Read a table with columns of any type, as pandas reads them.

    A first column without a name that numbers the rows is the index that pandas writes by default. The function drops
    it, and an empty last column, with a warning.

    Parameters
    ----------
    path : str or Path
        A Parquet file, whose name ends with ``.parquet`` or ``.pq``; an ARFF file, whose name ends with ``.arff``; or a
        text file with a line for each row, such as ``.csv``, ``.tsv``, ``.txt`` or ``.csv.gz``. The text is UTF-8. The
        first line of a CSV file has the names of the columns; values that a row lacks at its end are missing values.
    sep : str, default=None
        The character between two values. If None, it is a comma, semicolon, tab or vertical bar, whichever splits the
        first lines into equally many values; a warning names it unless it is the one that the file's name states.
    decimal : {".", ","}, default=None
        The decimal mark. If None, it is the point. It is the comma if the separator is another character and the
        numbers leave no doubt: "3,14" can only be a decimal number, and "1,234" may also be a thousand. A warning says
        so, also if numbers with commas stay text.

    Returns
    -------
    DataFrame

    Raises
    ------
    DataFormatError
        If the file cannot be read or is not a regular file; if two columns have the same name, or a row has more values
        than the header; or if the file expands to more than 200 times its size. The message names the file, and the row
        where there is one. Rows are counted from 1, without the header.
    InvalidParameterError
        If `sep` or `decimal` is not allowed.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from initsk.datasets import read_table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "sizes.csv")
    ...     _ = path.write_text("size;color\n3,14;red\n2,5;blue\n")
    ...     read_table(path, sep=";", decimal=",")
       size color
    0  3.14   red
    1  2.50  blue
    """
    path = as_path(path, error_class=DataFormatError)
    check_parameters("read_table", {"sep": sep, "decimal": decimal}, _CONSTRAINTS)
    name = path.name.lower()
    if name.endswith((".parquet", ".pq")):
        frame = read_parquet(path)
    elif name.endswith((".arff", ".arff.gz")):
        frame = read_arff(path)
    else:
        frame = read_csv(path, sep, decimal)
    return _without_index(frame, path)


def load_table(
    path: str | Path, target: str, *, sep: str | None = None, decimal: str | None = None
) -> tuple[pd.DataFrame, pd.Series]:
    """Load a table of numbers, and separate its target column from the features.

    Parameters
    ----------
    path : str or Path
        A file that `read_table` reads.
    target : str
        Name of the column to predict; all others must be numbers, or text that is a number in every row.
    sep, decimal : str, default=None
        As for `read_table`.

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
    X, y = separate_target(read_table(path, sep, decimal), target, source=path)
    if reason := describe_not_numeric(X):
        raise DataFormatError(f"{path}: {reason}")
    for name in [name for name, dtype in X.dtypes.items() if not is_real(dtype)]:
        # Some numbers come as objects or text: decimals, and integers that are too long for numpy.
        X[name] = pd.to_numeric(X[name].astype(str), errors="coerce").astype(float)
    return X, y


def separate_target(frame: pd.DataFrame, target: str, *, source: object = "X") -> tuple[pd.DataFrame, pd.Series]:
    """Separate the target column of a table from the features, of any type.

    Parameters
    ----------
    frame : DataFrame
    target : str
        Name of the column to predict.
    source : object, default="X"
        What messages call the table, such as the path of its file.

    Returns
    -------
    X : DataFrame
    y : Series

    Raises
    ------
    DataFormatError
        If the table has no rows or features, or a feature is a copy of the target with almost the same name.
    InvalidParameterError
        If the table has no target column.

    Examples
    --------
    >>> import pandas as pd
    >>> from initsk.datasets import separate_target
    >>> X, y = separate_target(pd.DataFrame({"size": [1, 2], "color": ["red", "blue"], "kind": [0, 1]}), "kind")
    >>> list(X.columns), y.tolist()
    (['size', 'color'], [0, 1])
    """
    if target not in frame.columns:
        known = unknown_name("column", target, frame.columns, most=_MAX_LISTED)
        sets = "sep sets the character between two values (--sep on the command line)"
        single = f"; {sets}" if frame.shape[1] == 1 else ""
        raise InvalidParameterError(f"{source}: {known}{single}")
    X, y = frame.drop(columns=target), frame[target]
    if X.size == 0:
        rows, columns = counted(X.shape[0], "row"), counted(X.shape[1], "column")
        raise DataFormatError(f"{source}: has {rows} and {columns} besides the target")
    for name in [name for name in X.columns if _plain(name) == _plain(target)]:
        if X[name].equals(y):
            raise DataFormatError(f"{source}: the column {name!r} is a copy of the target {target!r}; remove it")
    return X, y


def _without_index(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return the frame without the columns that have no name and only number the rows, or are empty at the end."""
    dropped = {}
    while frame.shape[1] and _UNNAMED.fullmatch(frame.columns[0]) and len(frame) and frame.iloc[:, 0].is_unique:
        dropped[frame.columns[0]] = "the index of the rows"
        frame = frame.iloc[:, 1:]
    while frame.shape[1] and _UNNAMED.fullmatch(frame.columns[-1]) and frame.iloc[:, -1].isna().all():
        dropped[frame.columns[-1]] = "empty"
        frame = frame.iloc[:, :-1]
    if dropped:
        listed = ", ".join(f"{name!r} ({why})" for name, why in dropped.items())
        warnings.warn(f"{path}: dropped columns without a name: {listed}", DataFormatWarning, stacklevel=3)
    return frame


def _is_separator(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 1 and not value.isalnum() and value not in "\"'\r\n.\0"


def _plain(name: str) -> str:
    """Return a name without spaces, case and the number that pandas gives to a second column of this name."""
    return re.sub(r"\.\d+$", "", name).strip().lower()
