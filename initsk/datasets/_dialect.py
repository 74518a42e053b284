"""The separator and the decimal mark of a CSV file, found from its header and its values."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

#: The separators that are looked for; `sep` may also be any other sign.
SEPARATORS = (",", ";", "\t", "|")
#: What to do about numbers with commas that stay text.
ABOUT_COMMAS = (
    "if the comma is the decimal mark, set decimal=',' (--decimal , on the command line), otherwise write the numbers"
    " without commas"
)
# Rows and values that the separator is judged by.
_MAX_ROWS = 50
_MAX_VALUES = 20_000
_NUMBER = re.compile(r"\s*[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?\s*")
_COMMA_NUMBER = re.compile(r"\s*[+-]?\d*(,\d+)*([eE][+-]?\d+)?\s*")
# "1,234" may be a thousand or a decimal number, "1,5", "0,234" and "1234,567" are decimal numbers.
_DECIMAL = re.compile(r"\s*[+-]?(0?,\d+|\d{4,},\d+|\d+,(\d{1,2}|\d{4,}))([eE][+-]?\d+)?\s*")
_THOUSANDS = re.compile(r"\s*[+-]?\d+(,\d+){2,}\s*")


def score_of(rows: Iterable[list[str]]) -> tuple[float, float, int] | None:
    """Return how well a separator has split the header and the first rows; None if it does not split the header.

    The parts of the score are the share of rows as long as the header, the share of numbers, and the number of columns.
    """
    names: list[str] = []
    n_rows = n_fitting = n_values = n_numbers = 0
    for row in rows:
        if not names:
            names = row
            if len(names) < 2:
                return None
            continue
        n_rows += 1
        n_fitting += len(row) == len(names)
        n_values += len(row)
        n_numbers += sum(bool(_NUMBER.fullmatch(value)) or not value.strip() for value in row)
        if n_rows >= _MAX_ROWS or n_values >= _MAX_VALUES:
            break
    if not names:
        return None
    return n_fitting / max(n_rows, 1), n_numbers / max(n_values, 1), len(names)


@dataclass(frozen=True)
class CommaNumbers:
    """A column of text in which every value is a number with or without commas."""

    name: str
    example: str
    row: int
    decimal: bool
    thousands: bool


def comma_numbers(frame: pd.DataFrame) -> list[CommaNumbers]:
    """Return the columns of text that have only numbers, of which some have commas."""
    found = []
    for name, values in frame.items():
        if not (pd.api.types.is_object_dtype(values) or pd.api.types.is_string_dtype(values)):
            continue
        first = values.first_valid_index()
        if first is None or not _COMMA_NUMBER.fullmatch(str(values[first])):
            continue
        texts = values.dropna().astype(str)
        has_comma = texts.str.contains(",", regex=False)
        if not has_comma.any() or not texts.map(lambda text: bool(_COMMA_NUMBER.fullmatch(text))).all():
            continue
        with_comma = texts[has_comma]
        decimal, thousands = (any(map(pattern.fullmatch, with_comma)) for pattern in (_DECIMAL, _THOUSANDS))
        row = int(with_comma.index[0]) + 1
        found.append(CommaNumbers(str(name), with_comma.iloc[0], row, decimal, thousands))
    return found


def has_decimal_commas(columns: list[CommaNumbers], frame: pd.DataFrame) -> bool:
    """Return whether the commas can only be decimal marks: one column is sure, and no column speaks against it."""
    if not any(column.decimal for column in columns) or any(column.thousands for column in columns):
        return False
    # A file has one decimal mark: numbers with a fraction were read with a point.
    floats = frame.select_dtypes("float64").to_numpy()
    return not (np.isfinite(floats) & (floats != np.floor(floats))).any()
