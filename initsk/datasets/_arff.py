"""Reader of ARFF files, the tables of Weka and OpenML: the header gives the columns, pandas reads the values."""

import csv
import re
from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from itertools import islice
from pathlib import Path

import pandas as pd

from initsk.datasets._header import check_names
from initsk.datasets._text import Stream, check_bytes, lines_of, parsed, text_of
from initsk.datasets._unpack import unpacked
from initsk.exceptions import DataFormatError
from initsk.utils.columns import is_real, not_numeric
from initsk.utils.words import counted

_ATTRIBUTE = re.compile(r"""@attribute\s+('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[^\s{'"]+)\s*(.+)""", re.IGNORECASE)
_QUOTED = {quote: re.compile(rf"(^|,)\s*{quote}") for quote in "'\""}
_NUMBERS = ("numeric", "real", "integer")

# The values that each column may have: None for numbers, an empty list for any text.
Types = dict[str, list[str] | None]


def read_arff(path: Path) -> pd.DataFrame:
    """Return the table of an ARFF file, gzipped or not; nominal columns are categories.

    Raises
    ------
    DataFormatError
        If the file is not an ARFF file, or is a sparse one; the message names the file.
    """
    with unpacked(path) as (stream, _):
        check_bytes(path, stream, path.stat().st_size)
        with parsed(path, stream):
            with text_of(stream) as text:
                types, n_header = _read_header(path, lines_of(path, text, ","))
            frame = _read_values(path, stream, types, n_header)
    return _checked(path, frame, types)


def _read_header(path: Path, lines: Iterator[str]) -> tuple[Types, int]:
    """Return the columns, and the number of lines up to that with @data."""
    types: list[tuple[str, list[str] | None]] = []
    for number, line in enumerate(map(str.strip, lines), start=1):
        if line.lower().startswith("@data"):
            check_names(path, [name for name, _ in types])
            if not types:
                raise DataFormatError(f"{path}: has no line @attribute before @data")
            return dict(types), number
        if line.lower().startswith("@attribute"):
            types.append(_attribute(path, line, number))
        elif line and not line.startswith("%") and not line.lower().startswith("@relation"):
            raise DataFormatError(f"{path}: line {number} is not of an ARFF header (allowed: @attribute NAME TYPE)")
    raise DataFormatError(f"{path}: has no line @data (allowed: an ARFF file)")


def _attribute(path: Path, line: str, number: int) -> tuple[str, list[str] | None]:
    match = _ATTRIBUTE.fullmatch(line)
    if match is None:
        raise DataFormatError(f"{path}: line {number} is not @attribute NAME TYPE")
    name, kind = match[1], match[2].strip()
    if name[0] in "'\"":
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    if kind.startswith("{") and kind.endswith("}"):
        return name, [value.strip() for value in next(_reader([kind[1:-1]], _quote_in(path, [kind[1:-1]])), [])]
    word = kind.lower().split()[0]
    if word in _NUMBERS or word in ("string", "date"):
        return name, None if word in _NUMBERS else []
    allowed = "numeric, real, integer, string, date, or values in braces"
    raise DataFormatError(f"{path}: the column {name!r} has the type {word!r} (allowed: {allowed})")


def _reader(lines: Iterable[str], quote: str) -> Iterator[list[str]]:
    return csv.reader(lines, quotechar=quote, escapechar="\\", skipinitialspace=True)


def _quote_in(path: Path, lines: Iterable[str]) -> str:
    """Return the quote around values."""
    found = {quote for line in lines for quote in _QUOTED if quote in line and _QUOTED[quote].search(line)}
    if len(found) > 1:
        raise DataFormatError(f"{path}: has values in single and in double quotes (allowed: one kind of quotes)")
    return found.pop() if found else "'"


def _data_lines(path: Path, text: TextIOWrapper, n_header: int) -> Iterator[str]:
    """Yield the lines after the header that are neither empty nor comments."""
    for line in islice(lines_of(path, text, ","), n_header, None):
        if (start := line.lstrip()[:1]) == "{":
            raise DataFormatError(f"{path}: has sparse rows: {line[:20].strip()!r} (allowed: all values of a row)")
        if start and start != "%":
            yield line


def _read_values(path: Path, stream: Stream, types: Types, n_header: int) -> pd.DataFrame:
    with text_of(stream) as text:
        quote = _quote_in(path, _data_lines(path, text, n_header))
    with text_of(stream) as text:
        for number, row in enumerate(_reader(_data_lines(path, text, n_header), quote), start=1):
            if len(row) != len(types):
                columns = counted(len(types), "column")
                raise DataFormatError(f"{path}: row {number} has {counted(len(row), 'value')}, and there are {columns}")
    with text_of(stream) as text:
        comments = [number for number, line in enumerate(text) if number < n_header or line.lstrip().startswith("%")]
    missing = {name: ["?", "", "nan", "NaN"] if values is None else ["?"] for name, values in types.items()}
    with text_of(stream) as text:
        frame: pd.DataFrame = pd.read_csv(
            text, header=None, names=list(types), index_col=False, low_memory=False, skiprows=comments,
            quotechar=quote, escapechar="\\", skipinitialspace=True, keep_default_na=False,
            na_values=missing,
            dtype={name: str for name, values in types.items() if values is not None},
        )  # fmt: skip
    return frame


def _checked(path: Path, frame: pd.DataFrame, types: Types) -> pd.DataFrame:
    """Return the table with its categories; refuse values that the header does not allow."""
    faults = not_numeric(frame[[name for name, values in types.items() if values is None]])
    categories = {}
    for name, values in types.items():
        if not values:
            continue
        unknown = frame[name].notna() & ~frame[name].isin(values)
        if unknown.any():
            row = int(unknown.to_numpy().argmax())
            faults[name] = f"row {row + 1}: {frame[name].iloc[row]!r}"
        else:
            categories[name] = pd.CategoricalDtype(values)
    if faults:
        listed = ", ".join(f"{name} ({found})" for name, found in list(faults.items())[:5])
        raise DataFormatError(f"{path}: values that the header does not allow: {listed}")
    for name in [name for name, values in types.items() if values is None and not is_real(frame[name].dtype)]:
        # No values at all, or integers that are too long for numpy.
        frame[name] = pd.to_numeric(frame[name], errors="coerce").astype(float)
    return frame.astype(categories)
