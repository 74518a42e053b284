"""Text of a data file, gzipped or not: its lines, in bounded memory; what is no UTF-8 text is refused."""

import csv
import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO

from initsk.datasets._header import check_expansion, check_number
from initsk.exceptions import DataFormatError
from initsk.utils.words import reason_of

_CHUNK = 1 << 20
# Characters of a line.
_MAX_LINE = 1 << 24
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")

Stream = IO[bytes] | gzip.GzipFile


def check_bytes(path: Path, stream: Stream, size: int) -> None:
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


@contextmanager
def text_of(stream: Stream) -> Iterator[TextIOWrapper]:
    """Yield the text of a stream from its start; the stream stays open."""
    text = TextIOWrapper(rewound(stream), encoding="utf-8-sig", newline="")
    try:
        yield text
    finally:
        text.detach()


def lines_of(path: Path, text: TextIOWrapper, sep: str) -> Iterator[str]:
    """Yield the lines; refuse a line that is too long, or has too many values."""
    while line := text.readline(_MAX_LINE):
        if len(line) == _MAX_LINE:
            raise DataFormatError(f"{path}: a line has more than {_MAX_LINE:,} characters")
        # Before the line becomes a list of texts, which takes ten times its memory.
        check_number(path, line.count(sep) + 1)
        yield line


@contextmanager
def parsed(path: Path, stream: Stream, explain: Callable[[Exception], str] = reason_of) -> Iterator[None]:
    """Run a block that reads a text file; what cannot be read is an error that names the file and the reason."""
    try:
        yield
    except UnicodeDecodeError as error:
        line = _undecodable_line(rewound(stream))
        raise DataFormatError(f"{path}: line {line} is not UTF-8 text; save the file as UTF-8") from error
    except (ValueError, csv.Error, OverflowError) as error:
        if isinstance(error, DataFormatError):
            raise
        raise DataFormatError(f"{path}: cannot be read ({explain(error)})") from error


def _undecodable_line(stream: Stream) -> int:
    """Return the number of the first line that is not UTF-8."""
    for number, line in enumerate(iter(lambda: stream.readline(_MAX_LINE), b""), start=1):
        try:
            line.decode()
        except UnicodeDecodeError:
            return number
    return 1


def rewound(stream: Stream) -> IO[bytes]:
    """Return the stream at its start."""
    stream.seek(0)
    return stream  # type: ignore[return-value]  # a GzipFile has the methods that are used
