"""The tables of a report: columns, rows, and how a cell is written."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from initsk.language import current_language


class Column(NamedTuple):
    """A column of a table: its key in the rows, its title, and how its values are written.

    The kind is "text", "sentence", "code", "integer", "number", "short", "share" or "p".
    """

    key: str
    title: str
    kind: str = "number"
    digits: int = 4
    #: The text for an infinite value.
    infinite: str = ""

    @property
    def is_text(self) -> bool:
        """Whether the values are names ("text"), sentences ("sentence") or code, not numbers."""
        return self.kind in ("text", "sentence", "code")

    def cell(self, row: dict[str, Any]) -> str:
        """Return the value of a row as text in the current language."""
        value, language = row[self.key], current_language()
        if self.is_text:
            return str(value)
        number = float("nan") if value is None else float(value)
        if self.infinite and number == float("inf"):
            return self.infinite
        if self.kind == "p" and number < 1e-4:
            return f"< {language.number(1e-4)}"
        if self.kind in ("number", "p"):
            return language.number(number, self.digits)
        if self.kind == "integer":
            return language.integer(number)
        return language.percent(number) if self.kind == "share" else language.short(number)


def columns_of(kind: str, /, **titles: str) -> list[Column]:
    """Return columns of one kind; `titles` has their titles by key."""
    return [Column(key, title, kind) for key, title in titles.items()]


class Table(NamedTuple):
    """Rows of raw values; `colors` has one color for each row, or is empty.

    The heading of a row is in the column `heading_key`, by default the first column of text.
    """

    key: str
    title: str
    columns: list[Column]
    rows: list[dict[str, Any]]
    colors: Sequence[str] = ()
    heading_key: str = ""

    @property
    def heading(self) -> str:
        """The key of the column that names the row."""
        return self.heading_key or next((column.key for column in self.columns if column.is_text), "")


def spread(values: Sequence[Any], n: int) -> list[Any]:
    """Return at most `n` of the values at equal distances, with the first and the last among them."""
    return [values[place] for place in np.linspace(0, len(values) - 1, min(n, len(values))).round().astype(int)]


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as the rows of a table."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
