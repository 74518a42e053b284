"""Reader of CSV files: the header and the first row are checked before pandas reads the values."""

import csv
import gzip
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import IO

import pandas as pd

from initsk.datasets._header import check_expansion, check_names, check_number
from initsk.datasets._unpack import unpacked
from initsk.exceptions import DataFormatError
from initsk.utils.words import counted, reason_of

_CHUNK = 1 << 20
# Characters of a header or a first row.
_MAX_LINE = 1 << 24
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")

Stream = IO[bytes] | gzip.GzipFile


def read_csv(path: Path) -> pd.DataFrame:
    """Return the table of a CSV file, gzipped or not.

    Raises
    ------
    DataFormatError
        If the file is not a CSV file whose first line has the names of the columns; the message names the file.
    """
    with unpacked(path) as (stream, _):
        size = path.stat().st_size
        _check_bytes(path, stream, size)
        try:
            names = _read_header(path, stream)
            # With low_memory, a column of text could begin with numbers that are read as numbers.
            frame = pd.read_csv(_rewound(stream), low_memory=False, index_col=False)
        except UnicodeDecodeError as error:
            line = _undecodable_line(_rewound(stream))
            raise DataFormatError(f"{path}: line {line} is not UTF-8 text; save the file as UTF-8") from error
        except (ValueError, csv.Error, OverflowError) as error:
            if isinstance(error, DataFormatError):
                raise
            reason = _too_long_row(path, stream) or reason_of(error).removeprefix("Error tokenizing data. C error: ")
            raise DataFormatError(f"{path}: cannot be read ({reason})") from error
    if [str(name) for name in frame.columns] != names:
        raise DataFormatError(f"{path}: the header cannot be read; its names are {', '.join(map(repr, names[:12]))}")
    return frame


def _check_bytes(path: Path, stream: Stream, size: int) -> None:
    """Refuse what is not text, and what expands too far; the whole file is read once, in parts."""
    n_bytes, start = 0, b""
    while chunk := stream.read(_CHUNK):
        start = start or chunk[:2]
        n_bytes += len(chunk)
        if start in _UTF_16:
            raise DataFormatError(f"{path}: is UTF-16 text; save the file as UTF-8")
        if b"\0" in chunk:
            raise DataFormatError(f"{path}: is not text; it has the byte 00 (allowed: UTF-8 text)")
        check_expansion(path, n_bytes, size)


def _read_header(path: Path, stream: Stream) -> list[str]:
    """Return the names of the columns as pandas gives them; refuse a first row that has more values than names."""
    with _text(stream) as text:
        rows = _rows(path, text)
        names = next(rows, None)
        if names is None:
            raise DataFormatError(f"{path}: is empty (allowed: a line with the names of the columns, and a line a row)")
        check_names(path, names)
        first = next(rows, names)
    if len(first) > len(names):
        raise DataFormatError(f"{path}: row 1 has {counted(len(first), 'value')}, and the header has {len(names)}")
    return [name or f"Unnamed: {number}" for number, name in enumerate(names)]


def _too_long_row(path: Path, stream: Stream) -> str | None:
    """Return the first row that has more values than the header, in words."""
    with _text(stream) as text, suppress(csv.Error):
        rows = _rows(path, text)
        names = next(rows)
        for number, row in enumerate(rows, start=1):
            if len(row) > len(names):
                return f"row {number} has {counted(len(row), 'value')}, and the header has {len(names)}"
    return None


@contextmanager
def _text(stream: Stream) -> Iterator[TextIOWrapper]:
    """Yield the text of a stream from its start; the stream stays open."""
    text = TextIOWrapper(_rewound(stream), encoding="utf-8-sig", newline="")
    try:
        yield text
    finally:
        text.detach()


def _rows(path: Path, text: TextIOWrapper) -> Iterator[list[str]]:
    """Yield the header and the rows; as pandas does, skip lines without any character but spaces."""
    for row in csv.reader(_lines(path, text)):
        if len(row) > 1 or "".join(row).strip():
            yield row


def _lines(path: Path, text: TextIOWrapper) -> Iterator[str]:
    while line := text.readline(_MAX_LINE):
        if len(line) == _MAX_LINE:
            raise DataFormatError(f"{path}: a line has more than {_MAX_LINE:,} characters")
        # Before the line becomes a list of texts, which takes ten times its memory.
        check_number(path, line.count(",") + 1)
        yield line


def _undecodable_line(stream: Stream) -> int:
    for number, line in enumerate(iter(lambda: stream.readline(_MAX_LINE), b""), start=1):
        try:
            line.decode()
        except UnicodeDecodeError:
            return number
    return 1


def _rewound(stream: Stream) -> IO[bytes]:
    stream.seek(0)
    return stream  # type: ignore[return-value]  # a GzipFile has the methods that are used
