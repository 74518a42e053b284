"""The intake of frames of a comparison: those that were read from files get their types back, or are refused."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from initsk.comparison.results._records import TABLES, empty_tables, key_columns
from initsk.utils.validation import refuse

# Readers of CSV take empty text for a missing value. In other columns, text such as "nan" is a name.
_OFTEN_EMPTY = ("reason", "no_layers", "function")
# What a ranking needs.
_NEEDED = ("initializer", "repeat", "fold", "split", "val_ratio", "status", "score")
_HINT = "for a frame of your own with a row for each run, use ComparisonResult.from_frame(frame)"
# Besides those of the run, the columns that distinguish the rows of a table.
_KEYS = ("phase", "epoch", "layer", "position", "parameter", "left")


# A search for rows that are there twice takes milliseconds in a table of this size.
_SMALL = 20_000


def typed_tables(frames: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """Return the tables with the types that `make_frames` gives them; those that have them are not copied.

    Files in CSV lose categories, and read empty text and counts with gaps as floats. A table other than the runs may be
    ``DataFrame()``, without any column: then nothing was measured.

    Raises
    ------
    InvalidParameterError
        If tables or columns are missing, a column has values that it cannot have, or a row is there twice.
    """
    if not isinstance(frames, Mapping):
        refuse("ComparisonResult", [f"frames is not a dict but {type(frames).__name__}", _HINT])
    frames = {name: _without_rows(name) if _is_nothing(name, frame) else frame for name, frame in frames.items()}
    missing = [name for name in TABLES if name not in frames]
    problems = [f"frames lacks {', '.join(missing)}"] if missing else []
    for name in (name for name in TABLES if name in frames):
        problems += _shape_problems(name, frames[name])
    refuse("ComparisonResult", [*problems, _HINT] if problems else [])
    orders = {name: _order(frames["runs"][name]) for name in ("initializer", "experiment") if name in frames["runs"]}
    typed = {name: _typed(name, frames[name], orders, problems) for name in TABLES}
    if not problems:
        # Searching the large tables that this package made would take seconds for thousands of runs.
        searched = {name: frame for name, frame in typed.items() if frame is not frames[name] or len(frame) < _SMALL}
        problems += _row_problems(searched, typed["runs"])
    refuse("ComparisonResult", problems)
    return typed


def _is_nothing(name: str, frame: Any) -> bool:
    return name in TABLES[1:] and isinstance(frame, pd.DataFrame) and not len(frame.columns)


def _without_rows(name: str) -> pd.DataFrame:
    return empty_tables()[name].copy()


def check_complete(frames: Mapping[str, pd.DataFrame]) -> None:
    """Raise InvalidParameterError if a table lacks columns that a report shows."""
    missing = {name: [column for column in empty_tables()[name] if column not in frames[name]] for name in TABLES}
    problems = [f"{name} lacks {', '.join(map(str, columns))}" for name, columns in missing.items() if columns]
    refuse("ComparisonResult", [*problems, _HINT] if problems else [])


def _row_problems(typed: dict[str, pd.DataFrame], runs: pd.DataFrame) -> list[str]:
    """Return which of the tables have a row twice, lack a parameter of the grid, or are empty without a reason."""
    if runs.empty:
        return ["runs has no rows"]
    run = [*(["experiment"] if "experiment" in runs else []), *key_columns(runs)]
    problems = []
    for name, frame in typed.items():
        if frame.empty:
            continue
        keys = [*run, *(column for column in _KEYS if column in empty_tables()[name])]
        missing = [column for column in keys if column not in frame]
        if missing:
            problems.append(f"{name} lacks {', '.join(missing)}")
            continue
        others = [column for column in run if _is_number(frame[column]) != _is_number(typed["runs"][column])]
        if others:
            problems.append(f"{name} has values of {', '.join(others)} of another type than runs")
            continue
        twice = frame.duplicated(keys)
        if twice.any():
            first = frame.loc[twice, keys].astype(object).to_dict("records")[0]
            problems.append(f"{name} has a row twice: {', '.join(f'{key} {value!r}' for key, value in first.items())}")
    return problems


def _is_number(column: pd.Series) -> bool:
    return column.dtype.kind in "biuf"


def _shape_problems(name: str, frame: Any) -> list[str]:
    if not isinstance(frame, pd.DataFrame):
        return [f"{name} is not a DataFrame but {type(frame).__name__}"]
    names = list(frame.columns)
    missing = [str(column) for column in _NEEDED if name == "runs" and column not in names]
    twice = list(dict.fromkeys(str(column) for column in names if names.count(column) > 1))
    problems = [f"{name} lacks {', '.join(missing)}"] if missing else []
    return problems + ([f"{name} has several columns of the name {', '.join(twice)}"] if twice else [])


def _order(column: pd.Series) -> pd.CategoricalDtype:
    """Return the labels in their order: that of a categorical, or of first appearance."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.dtype
    return pd.CategoricalDtype(list(dict.fromkeys(column.dropna().astype(str))))


def _typed(name: str, frame: pd.DataFrame, orders: dict[str, Any], problems: list[str]) -> pd.DataFrame:
    if not len(frame.columns):
        return empty_tables()[name]
    types = {str(column): kind for column, kind in empty_tables()[name].dtypes.items()} | {
        column: kind for column, kind in orders.items() if column in frame
    }
    grid = [str(column) for column in frame if column not in types and frame[column].dtype == object]
    changed = {column: frame[column].infer_objects() for column in grid}
    for column, kind in types.items():
        if column in frame and frame[column].dtype != kind:
            try:
                changed[column] = _converted(frame[column], column, kind)
            except (TypeError, ValueError, OverflowError):
                problems.append(f"{name} has values of {column} that are not allowed ({_words(kind)})")
    return frame.assign(**changed) if changed else frame


def _converted(values: pd.Series, column: str, kind: Any) -> pd.Series:
    if isinstance(kind, pd.CategoricalDtype) or pd.api.types.is_string_dtype(kind):
        text = values.astype(object)
        text = text.where(text.notna(), "") if column in _OFTEN_EMPTY else text
        text = text.map(str, na_action="ignore")
        allowed = text.notna() & (text.isin(kind.categories) if isinstance(kind, pd.CategoricalDtype) else True)
        if not allowed.all():
            raise ValueError
        return text.astype(kind)
    if values.dtype.kind in "cmM":
        raise TypeError
    numbers = values.astype("float64")
    if kind.kind == "i" and not (numbers % 1 == 0).all():
        raise ValueError
    return numbers.astype(kind)


def _words(kind: Any) -> str:
    if isinstance(kind, pd.CategoricalDtype):
        return f"one of {', '.join(map(repr, kind.categories[:12]))}"
    if pd.api.types.is_string_dtype(kind):
        return "text; read a CSV file with keep_default_na=False"
    return "whole numbers" if kind.kind == "i" else "numbers"
