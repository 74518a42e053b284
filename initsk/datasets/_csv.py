"""Reader of CSV files: the header and the first row are checked before pandas reads the values."""

import csv
import warnings
from collections.abc import Iterator
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path

import pandas as pd

from initsk.datasets._dialect import ABOUT_COMMAS, SEPARATORS, comma_numbers, has_decimal_commas, score_of
from initsk.datasets._header import check_names
from initsk.datasets._text import Stream, check_bytes, lines_of, parsed, rewound, text_of
from initsk.datasets._unpack import unpacked
from initsk.exceptions import DataFormatError, DataFormatWarning
from initsk.utils.words import counted, reason_of


def read_csv(path: Path, sep: str | None = None, decimal: str | None = None) -> pd.DataFrame:
    """Return the table of a CSV file, gzipped or not; None stands for a separator or decimal mark that is found.

    Raises
    ------
    DataFormatError
        If the file is not a CSV file whose first line has the names of the columns; the message names the file.
    """
    with unpacked(path) as (stream, _):
        size = path.stat().st_size
        check_bytes(path, stream, size)
        found = sep or _usual_separator(path)

        def explain(error: Exception) -> str:
            long = _too_long_row(path, stream, found)
            return long or reason_of(error).removeprefix("Error tokenizing data. C error: ")

        with parsed(path, stream, explain):
            found = sep or _find_separator(path, stream)
            names = _read_header(path, stream, found)
            frame = _read_values(stream, found, decimal or ".")
            notes = [] if sep or found == _usual_separator(path) else [f"its values are separated by {found!r}"]
            columns = [] if decimal == "," else comma_numbers(frame)
            are_decimal = has_decimal_commas(columns, frame)
            if columns and (decimal is None or are_decimal):
                if decimal is None and found != "," and are_decimal:
                    frame = _read_values(stream, found, ",")
                    notes.append("its numbers have decimal commas")
                else:
                    shown = ", ".join(f"column {c.name!r} (row {c.row}: {c.example!r})" for c in columns[:3])
                    notes.append(f"numbers with commas stay text: {shown}; {ABOUT_COMMAS}")
    if [str(name) for name in frame.columns] != names:
        raise DataFormatError(f"{path}: the header cannot be read; its names are {', '.join(map(repr, names[:12]))}")
    if notes:
        warnings.warn(f"{path}: {'; '.join(notes)}", DataFormatWarning, stacklevel=3)
    return frame


def _usual_separator(path: Path) -> str:
    return "\t" if path.name.lower().removesuffix(".gz").endswith(".tsv") else ","


def _find_separator(path: Path, stream: Stream) -> str:
    """Return the separator that splits the header and the first rows best; in doubt, that of the file's suffix."""
    usual = _usual_separator(path)
    scores = {}
    for separator in (usual, *(other for other in SEPARATORS if other != usual)):
        with text_of(stream) as text, suppress(csv.Error, DataFormatError):
            score = score_of(_rows(path, text, separator))
            if score is not None:
                scores[separator] = score
    return max(scores, key=lambda separator: scores[separator], default=usual)


def _read_values(stream: Stream, sep: str, decimal: str) -> pd.DataFrame:
    # With low_memory, a column of text could begin with numbers that are read as numbers.
    frame: pd.DataFrame = pd.read_csv(rewound(stream), sep=sep, decimal=decimal, low_memory=False, index_col=False)
    return frame


def _read_header(path: Path, stream: Stream, sep: str) -> list[str]:
    """Return the names of the columns as pandas gives them; refuse a first row that has more values than names."""
    with text_of(stream) as text:
        rows = _rows(path, text, sep)
        names = next(rows, None)
        if names is None:
            raise DataFormatError(f"{path}: is empty (allowed: a line with the names of the columns, and a line a row)")
        check_names(path, names)
        first = next(rows, names)
    if len(first) > len(names):
        raise DataFormatError(f"{path}: row 1 has {counted(len(first), 'value')}, and the header has {len(names)}")
    return _named_as_pandas(names)


def _named_as_pandas(names: list[str]) -> list[str]:
    """Return the names with those that pandas gives to columns without a name."""
    taken = set(names)
    for number, name in enumerate(names):
        new, counter = f"Unnamed: {number}", 0
        while not name and new in taken:
            counter += 1
            new = f"Unnamed: {number}.{counter}"
        names[number] = name or new
    return names


def _too_long_row(path: Path, stream: Stream, sep: str) -> str | None:
    """Return the first row that has more values than the header, in words."""
    with text_of(stream) as text, suppress(csv.Error):
        rows = _rows(path, text, sep)
        names = next(rows)
        for number, row in enumerate(rows, start=1):
            if len(row) > len(names):
                return f"row {number} has {counted(len(row), 'value')}, and the header has {len(names)}"
    return None


def _rows(path: Path, text: TextIOWrapper, sep: str) -> Iterator[list[str]]:
    """Yield the header and the rows; as pandas does, skip lines without any character but spaces."""
    for row in csv.reader(lines_of(path, text, sep), delimiter=sep):
        if len(row) > 1 or "".join(row).strip():
            yield row
