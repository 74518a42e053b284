"""Tables that ``--dataset`` and ``--test`` name: columns of any type, with the target apart."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from initsk.cli._checks import check_complete, check_target, named
from initsk.cli._output import say
from initsk.cli._samples import Samples
from initsk.datasets import read_table, separate_target, table_preparation
from initsk.exceptions import InvalidParameterError
from initsk.utils.validation import is_continuous, unknown_name
from initsk.utils.words import listed

_MAX_LISTED = 30


def load_table_samples(
    path: Path, target: str, *, drop: str | None = None, test: Path | None = None, **reading: Any
) -> Samples:
    """Return the samples of a table, with those of the test file as held-out ones.

    Whole numbers of many values are numbers to predict, and become floats. `reading` has parameters of `read_table`.

    Raises
    ------
    DataFormatError
        If a file is damaged.
    InvalidParameterError
        If columns are missing, or cannot be used; the message names the file and the columns.
    """
    frame = read_table(path, **reading)
    dropped = _names(drop)
    _check_dropped(frame, dropped, target)
    X, column = separate_target(frame.drop(columns=dropped), target, source=path)
    y = _values(column)
    if y.dtype.kind in "iu" and is_continuous(y.astype(float), allow_float_classes=True):
        y = y.astype(np.float64)
    samples = Samples(X, y, preparation=table_preparation(X))
    if test is None:
        return samples
    with named(str(test), "--test"):
        X_val, y_val = _held_out(read_table(test, **reading), X, column, dropped, test)
    return samples._replace(X_val=X_val, y_val=y_val.astype(y.dtype) if y.dtype.kind in "iuf" else y_val)


def _names(drop: str | None) -> list[str]:
    """Return the names in a list that is written as a line of CSV, so that quoted names may have commas."""
    row = next(csv.reader([drop], skipinitialspace=True), []) if drop else []
    return list(dict.fromkeys(name.strip() for name in row))


def _check_dropped(frame: pd.DataFrame, dropped: list[str], target: str) -> None:
    unknown = [name for name in dropped if name not in frame.columns]
    if unknown:
        # The columns are listed once, after the last name.
        *others, last = (unknown_name("column", name, frame.columns, most=_MAX_LISTED) for name in unknown)
        first = [sentence.partition(" Allowed: ")[0].rstrip(".") for sentence in others]
        hint = "; --sep sets the character between two values of the file" if frame.shape[1] == 1 else ""
        raise InvalidParameterError(f"--drop: {'; '.join([*first, last])}{hint}")
    if target in dropped:
        raise InvalidParameterError(f"--drop: {target!r} is the column to predict (allowed: other columns)")


def _values(column: pd.Series) -> np.ndarray:
    """Return the values of a target column after checking them."""
    check_complete(column, str(column.name))
    # Numbers of pandas' own types are objects otherwise.
    is_number = not isinstance(column.dtype, np.dtype) and column.dtype.kind in "iuf"
    values = column.to_numpy(np.dtype(f"{column.dtype.kind}8") if is_number else None)
    check_target(values, f"the column {column.name!r}")
    return values


def _held_out(
    frame: pd.DataFrame, X: pd.DataFrame, column: pd.Series, dropped: list[str], path: Path
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the features and the target of a test file, in the order of the training file."""
    wanted = [*X.columns, column.name]
    missing = [name for name in wanted if name not in frame.columns]
    if missing:
        columns = f"it needs those of --dataset, and has: {_listed(list(frame.columns))}"
        raise InvalidParameterError(f"no {_listed(missing)}{_in_another_case(missing, frame)}; {columns}")
    if not len(frame):
        raise InvalidParameterError("no rows (allowed: a row for each held-out sample)")
    others = [name for name in frame.columns if name not in wanted and name not in dropped]
    if others:
        say(f"{path}: not used, since the file of --dataset does not have them: {_listed(others)}")
    X_val, y_val = frame[list(X.columns)], frame[column.name]
    wrong = [name for name in wanted if _is_number(pd.concat([X, column], axis=1)[name]) and not _fits(frame[name])]
    if wrong:
        raise InvalidParameterError(f"no numbers, but the file of --dataset has numbers: {_listed(wrong)}")
    return X_val, _values(y_val)


def _in_another_case(missing: list[str], frame: pd.DataFrame) -> str:
    """Return which columns of a frame differ from missing ones by their case or spaces only, as a question."""
    plain = {str(name).strip().lower(): name for name in frame.columns}
    near = [plain[name.strip().lower()] for name in missing if name.strip().lower() in plain]
    return f" (did you mean {_listed(near)}?)" if near else ""


def _is_number(values: pd.Series) -> bool:
    return values.dtype.kind in "iuf"


def _fits(values: pd.Series) -> bool:
    return values.dtype.kind in "iufb" or bool(values.isna().all())


def _listed(names: list[str]) -> str:
    return listed([f"column {name!r}" for name in names], _MAX_LISTED)
