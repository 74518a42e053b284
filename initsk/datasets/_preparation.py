"""The preparation of tables for networks: which column becomes what kind of numbers."""

import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from initsk.datasets._dialect import ABOUT_COMMAS, comma_numbers
from initsk.exceptions import DataFormatWarning, InvalidParameterError
from initsk.text import brief
from initsk.utils.precision import columns_with
from initsk.utils.words import listed

_MAX_CATEGORIES = 50
_MAX_LISTED = 5
_MAX_SHOWN = 40
# Squares of numbers outside of this range are not finite, or zero.
_SQUARABLE = (1e-140, 1e140)
# Text of more different values is looked at: is it numbers that were written with signs or units?
_FEW_CATEGORIES = 10
_NUMBER = re.compile(r"\W{0,3}\d[\d.,'\s]*\D{0,4}")
# A percent sign or a currency leaves no doubt, whatever the number of values.
_AMOUNT = re.compile(r"\s*[+-]?[$€£¥]\s*[+-]?\d[\d.,'\s]*|\s*[+-]?\d[\d.,'\s]*(%|[$€£¥]|EUR|USD|GBP)\s*")
_DATE = re.compile(r"\s*(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2}))([T ]\s*\d{1,2}:\d{2}.*)?")


def table_preparation(X: pd.DataFrame) -> ColumnTransformer:
    """Make the preparation of a table for a network: the columns of any type become numbers.

    Numbers get the median where they are missing, and a column that indicates the missing values; they are
    standardized. Booleans become 0 and 1, and missing ones are treated like missing numbers. Text and categories become
    a column of 0 and 1 for each category; a missing value is a category too. At most 50 categories of a column have
    their own, and those that occur once share one with the rarest. Values that the training part does not have are
    treated like these.

    Columns that cannot help are left out: those without a value, and text that differs in every row.

    Parameters
    ----------
    X : DataFrame
        The features. Only the kinds of the columns are taken from it; medians, means and categories are those of the
        samples on which the preparation is fitted, in a comparison the training part of each split.

    Returns
    -------
    ColumnTransformer
        Not fitted. ``make_pipeline(table_preparation(X), MLPClassifier())`` trains on the table itself.

    Raises
    ------
    InvalidParameterError
        If X is no DataFrame, has no column to train on, or has columns of dates, infinite numbers, or values that are
        no numbers, booleans, text or categories. The message names the columns.

    Warns
    -----
    DataFormatWarning
        For columns that are left out, columns with more than 50 categories, text that seems to be numbers
        ("5.10 EUR", or "?" among numbers) or dates of several forms, and columns that seem to number the rows.

    Examples
    --------
    >>> import pandas as pd
    >>> from initsk.datasets import table_preparation
    >>> X = pd.DataFrame({"size": [1.0, None, 3.0], "color": ["red", "blue", "red"], "sold": [True, False, True]})
    >>> table_preparation(X).fit_transform(X).round(2).tolist()
    [[-1.22, -0.71, 1.0, 1.0, 0.0], [0.0, 1.41, 0.0, 0.0, 1.0], [1.22, -0.71, 1.0, 1.0, 0.0]]
    """
    if not isinstance(X, pd.DataFrame):
        raise InvalidParameterError(f"X is not a DataFrame but {type(X).__name__}")
    kinds = {name: _kind_of(X[name]) for name in X.columns}
    columns = {kind: [name for name, own in kinds.items() if own == kind] for kind in _KINDS}
    _refuse_columns(X, columns)
    extreme = _extreme_units(X[columns["numbers"]])
    parts: list[tuple[str, Any, list[Any]]] = [
        ("numbers", make_pipeline(_imputer(), StandardScaler()), [c for c in columns["numbers"] if c not in extreme]),
        ("extreme_numbers", make_pipeline(_in_units(extreme), _imputer(), StandardScaler()), list(extreme)),
        ("booleans", _imputer(), columns["booleans"]),
        ("categories", make_pipeline(_texts(), _encoder()), columns["categories"]),
    ]
    parts = [part for part in parts if part[2]]
    if not parts:
        hint = f"; {ABOUT_COMMAS}" if comma_numbers(X[columns["unique"]]) else ""
        raise InvalidParameterError(f"X has no column to train on; {_left_out(columns) or 'it has no columns'}{hint}")
    _warn(X, columns)
    left_out = columns["unique"] + columns["empty"]
    return ColumnTransformer([*parts, *([("left_out", "drop", left_out)] if left_out else [])])


def _imputer() -> SimpleImputer:
    return SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)


def _encoder() -> OneHotEncoder:
    return OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=2, max_categories=_MAX_CATEGORIES, sparse_output=False
    )


def _in_units(units: Mapping[Any, float]) -> FunctionTransformer:
    return FunctionTransformer(divide, kw_args={"units": list(units.values())}, feature_names_out="one-to-one")


def _texts() -> FunctionTransformer:
    return FunctionTransformer(as_text, feature_names_out="one-to-one")


def divide(X: pd.DataFrame, units: list[float]) -> pd.DataFrame:
    """Return columns of numbers, each divided by its unit."""
    return X.astype(float) / units


def as_text(X: pd.DataFrame) -> pd.DataFrame:
    """Return columns of text, with NaN for every missing value."""
    return X.astype(object).where(X.notna(), np.nan).map(str, na_action="ignore")


def _kind_of(values: pd.Series) -> str:
    """Return the kind of a column, a key of `_KINDS`."""
    present = values.dropna()
    if present.empty:
        return "empty"
    if isinstance(values.dtype, pd.CategoricalDtype):
        return "categories"
    if types.is_datetime64_any_dtype(values) or isinstance(values.dtype, pd.PeriodDtype):
        return "dates"
    if types.is_bool_dtype(values):
        return "booleans"
    if types.is_numeric_dtype(values):
        return "other" if types.is_complex_dtype(values) else "numbers"
    if types.is_object_dtype(values) or types.is_string_dtype(values):
        return _kind_of_objects(present)
    return "other"


def _kind_of_objects(present: pd.Series) -> str:
    kind = types.infer_dtype(present, skipna=True)
    if kind == "boolean":
        return "booleans"
    if kind in ("integer", "floating", "mixed-integer-float", "decimal"):
        return "numbers"
    if kind in ("date", "datetime", "datetime64", "period"):
        return "dates"
    if kind not in ("string", "categorical", "mixed-integer") or not _are_words(present):
        return "other"
    if all(map(_DATE.fullmatch, map(str, present.unique()))):
        return "dates"
    return "unique" if len(present) > 1 and present.is_unique else "categories"


def _are_words(present: pd.Series) -> bool:
    return all(isinstance(value, str | int | float) for value in present)


# The kinds of columns, and for those that cannot be used what a message calls them.
_KINDS = {
    "numbers": "", "booleans": "", "categories": "", "dates": "dates", "other": "values that are no numbers or text",
    "unique": "text that differs in every row", "empty": "no values",
}  # fmt: skip


def _refuse_columns(X: pd.DataFrame, columns: Mapping[str, list[Any]]) -> None:
    hints = {
        "dates": "leave them out (--drop on the command line), or make numbers of a date, such as its month or the days"
        " since a first day",
        "other": "leave them out (--drop on the command line), or convert them to numbers or text",
    }
    problems = [
        f"{_KINDS[kind]}: {_listed(columns[kind], lambda name: _first_value(X[name]))}; {hint}"
        for kind, hint in hints.items()
        if columns[kind]
    ]
    numbers = X[columns["numbers"]].astype(float).to_numpy()
    if np.isinf(numbers).any():
        problems.append(f"infinite values: {columns_with(np.isinf(numbers), [repr(c) for c in columns['numbers']])}")
    if problems:
        raise InvalidParameterError(f"the table has {'; the table has '.join(problems)}")


def _first_value(values: pd.Series) -> str:
    row = int(values.notna().to_numpy().argmax())
    return f" (row {row + 1}: {brief(str(values.iloc[row]), _MAX_SHOWN)!r})"


def _extreme_units(numbers: pd.DataFrame) -> dict[Any, float]:
    """Return the largest value of each column whose squares, and so its variance, are beyond double precision."""
    peaks = numbers.astype(float).abs().max()
    extreme = (peaks > 0) & ((peaks < _SQUARABLE[0]) | (peaks > _SQUARABLE[1]))
    return {name: float(peak) for name, peak in peaks[extreme].items()}


def _warn(X: pd.DataFrame, columns: Mapping[str, list[Any]]) -> None:
    many = [name for name in columns["categories"] if X[name].nunique() > _MAX_CATEGORIES]
    written = [name for name in [*columns["categories"], *columns["unique"]] if _seem_numbers(X[name])]
    dated = [name for name in [*columns["categories"], *columns["unique"]] if _seem_dates(X[name])]
    numbering = [name for name in columns["numbers"] if _numbers_the_rows(X[name])]
    found = [
        _left_out(columns),
        f"columns with more than {_MAX_CATEGORIES} categories, of which the rarest share one: {_listed(many)}"
        if many else "",
        "text that seems to be numbers, and is not used as numbers:"
        f" {_listed(written, lambda name: _first_word(X[name]))}; write plain numbers, and leave missing values empty"
        if written else "",
        f"text that seems to be dates, and is not used as dates: {_listed(dated, lambda name: _first_date(X[name]))};"
        " write all dates as 2024-01-31 and make numbers of them, or leave the column out (--drop on the command line)"
        if dated else "",
        f"numbers that count the rows, and tell nothing about other samples: {_listed(numbering)}; leave them out"
        " (--drop on the command line) unless their order matters" if numbering else "",
    ]  # fmt: skip
    for sentence in filter(None, found):
        warnings.warn(f"the table has {sentence}", DataFormatWarning, stacklevel=3)


def _left_out(columns: Mapping[str, list[Any]]) -> str:
    found = [f"{_KINDS[kind]}: {_listed(columns[kind])}" for kind in ("unique", "empty") if columns[kind]]
    return f"columns that are left out ({'; '.join(found)})" if found else ""


def _numbers_the_rows(values: pd.Series) -> bool:
    """Return whether a column has consecutive whole numbers, each once, in any order."""
    if len(values) < 3 or values.isna().any():
        return False
    numbers = np.sort(values.to_numpy(float))
    return bool(numbers[0] % 1 == 0 and (np.diff(numbers) == 1).all())


def _seem_numbers(values: pd.Series) -> bool:
    """Return whether most of the many different texts of a column are numbers, or would be without signs and units."""
    texts = [str(value) for value in values.dropna().unique()]
    many = len(texts) > _FEW_CATEGORIES and _most(_NUMBER, texts)
    return many or _most(_AMOUNT, texts)


def _seem_dates(values: pd.Series) -> bool:
    return _most(_DATE, [str(value) for value in values.dropna().unique()])


def _most(pattern: re.Pattern[str], texts: list[str]) -> bool:
    """Return whether more than half of the texts have a pattern."""
    return sum(map(bool, map(pattern.fullmatch, texts))) > len(texts) / 2


def _first_date(values: pd.Series) -> str:
    """Return the first value that is a date, with its row."""
    return _first_value(values.where(values.astype(str).map(lambda text: bool(_DATE.fullmatch(text)))))


def _first_word(values: pd.Series) -> str:
    """Return the first value that is no number, with its row."""
    return _first_value(values.where(pd.to_numeric(values.astype(str), errors="coerce").isna()))


def _listed(names: list[Any], detail: Callable[[Any], str] = lambda name: "") -> str:
    # One more than is shown, so that "..." follows; details of all columns would take long.
    shown = [f"column {name!r}{detail(name)}" for name in names[: _MAX_LISTED + 1]]
    return listed(shown, _MAX_LISTED)
