"""Reading the bytes of a data file, gzipped or not, in bounded memory."""

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from initsk.exceptions import DataFormatError
from initsk.utils.files import open_regular
from initsk.utils.words import reason_of

_CHUNK = 1 << 20
# Deflate expands data at most by the factor 1032.
DEFLATE_LIMIT = 1100


@contextmanager
def unpacked(path: Path) -> Iterator[tuple[IO[bytes] | gzip.GzipFile, int]]:
    """Open a file; yield the stream of its content, and the number of bytes that the content can have at most.

    gzip is recognized by the content, not by the name.

    Raises
    ------
    DataFormatError
        If the file cannot be read, also where that is found inside the block; the message names the file.
    """
    with named_faults(path), open_regular(path) as raw:
        size = os.fstat(raw.fileno()).st_size
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if not packed:
            yield raw, size
        else:
            with gzip.GzipFile(fileobj=raw) as stream:
                yield stream, size * DEFLATE_LIMIT


@contextmanager
def named_faults(path: Path) -> Iterator[None]:
    """Replace the errors of damaged or too large files by a DataFormatError that names the file."""
    try:
        yield
    except MemoryError as error:
        raise DataFormatError(f"{path}: the content does not fit in the memory of this machine") from error
    except (EOFError, zlib.error, OSError) as error:
        raise DataFormatError(f"{path}: cannot be read ({reason_of(error)})") from error


def read_at_most(stream: IO[bytes] | gzip.GzipFile, limit: int) -> bytearray:
    """Return at most so many bytes; memory is taken only for what the stream has."""
    content = bytearray()
    while len(content) < limit and (chunk := stream.read(min(_CHUNK, limit - len(content)))):
        content += chunk
    return content
