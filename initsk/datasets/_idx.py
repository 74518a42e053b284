"""Reader of the IDX format, in which MNIST and its successors are published."""

import gzip
from math import prod
from pathlib import Path
from typing import IO

import numpy as np

from initsk.datasets._unpack import read_at_most, unpacked
from initsk.exceptions import DataFormatError
from initsk.utils.files import as_path
from initsk.utils.words import counted

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | Path) -> np.ndarray:
    """Read one IDX file, gzipped or not.

    Parameters
    ----------
    path : str or Path
        The file; gzip is recognized by its content, not by its name.

    Returns
    -------
    ndarray
        Array with the shape and the type in the header, in native byte order.

    Raises
    ------
    DataFormatError
        If the file is missing, malformed, not a regular file, or too large for the memory; the message names the
        file and the fault. A wrong header does not make the function allocate more memory than the file's content
        needs.
    """
    path = as_path(path, error_class=DataFormatError)
    with unpacked(path) as (stream, limit):
        return _parse(stream, path, limit)


def _parse(stream: IO[bytes] | gzip.GzipFile, path: Path, limit: int) -> np.ndarray:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES or magic[3] == 0:
        raise DataFormatError(
            f"{path}: not an IDX file (its first four bytes are {magic.hex(' ') or 'missing'};"
            " allowed: 00 00, a type of 08 09 0b 0c 0d 0e, a number of dimensions >= 01)"
        )
    dtype = np.dtype(_TYPES[magic[2]])
    header = stream.read(4 * magic[3])
    if len(header) < 4 * magic[3]:
        raise DataFormatError(f"{path}: truncated inside its header")
    shape = tuple(int(n) for n in np.frombuffer(header, ">u4"))
    expected = prod(shape) * dtype.itemsize
    stated = f"its header states {counted(expected, 'byte')}"
    if expected > limit:
        raise DataFormatError(f"{path}: {stated} of shape {shape}, more than the file holds")
    content = read_at_most(stream, expected + 1)
    if len(content) < expected:
        raise DataFormatError(f"{path}: truncated; {stated}, the file has {len(content)}")
    if len(content) > expected:
        raise DataFormatError(f"{path}: trailing bytes; {stated}")
    try:
        array = np.frombuffer(content, dtype).reshape(shape)
    except ValueError as error:
        raise DataFormatError(f"{path}: the shape {shape} in its header is not possible ({error})") from error
    # In place, since a copy would take the memory twice.
    return array if dtype.isnative else array.byteswap(inplace=True).view(dtype.newbyteorder("="))
