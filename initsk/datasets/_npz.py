"""Reader of NPZ files, which holds every array against what the file can have."""

import os
import struct
import sys
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from math import prod
from pathlib import Path
from tokenize import TokenError

import numpy as np
from numpy.lib import format as npy

from initsk.datasets._unpack import DEFLATE_LIMIT, named_faults, read_at_most
from initsk.exceptions import DataFormatError
from initsk.utils.files import as_path, open_regular
from initsk.utils.words import counted, reason_of

# What the arrays are called here, and in files such as Keras' mnist.npz.
_NAMES = ("X", "y", "X_val", "y_val")
_SCHEMES = (_NAMES, ("x_train", "y_train", "x_test", "y_test"), ("X_train", "y_train", "X_test", "y_test"))
_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_ENCRYPTED = 0x1
# numpy reads a header as a Python literal; of a deeply nested one, the parser runs out of its own stack.
_HEADER_FAULTS = (
    ValueError, TypeError, SyntaxError, TokenError, RecursionError, MemoryError, OverflowError, struct.error,
)  # fmt: skip
# Of the methods of zip, numpy writes these; zipfile reads others in parts of any size.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# More than the longest header that numpy accepts.
_MAX_HEADER = 1 << 16


def load_npz(path: str | Path) -> dict[str, np.ndarray]:
    """Load the samples and targets of an NPZ file, as ``numpy.savez(path, X=X, y=y)`` writes it.

    Parameters
    ----------
    path : str or Path
        A file with the arrays X and y, and possibly X_val and y_val; or with x_train and y_train, and possibly x_test
        and y_test, as Keras' ``mnist.npz``. Other arrays are not read.

    Returns
    -------
    dict of str to ndarray
        "X" and "y", and "X_val" and "y_val" if the file has them or x_test and y_test.

    Raises
    ------
    DataFormatError
        If the file is missing or malformed, is not a regular file, or does not fit in memory; if an array is missing or
        holds Python objects, or X and y have different lengths. The message names the file and the array. A wrong
        header does not make the function allocate more memory than the file's content needs.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/mine.npz", X=np.zeros((3, 2)), y=np.arange(3))
    ...     arrays = load_npz(f"{folder}/mine.npz")
    >>> {name: array.shape for name, array in arrays.items()}
    {'X': (3, 2), 'y': (3,)}
    """
    path = as_path(path, error_class=DataFormatError)
    with _named_zip_faults(path), open_regular(path) as raw:
        size = os.fstat(raw.fileno()).st_size
        if raw.read(6) == npy.MAGIC_PREFIX:
            raise DataFormatError(f"{path}: is a single array in the NPY format (allowed: what numpy.savez writes)")
        with zipfile.ZipFile(raw) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            names = _names_of(path, members)
            arrays = {new: _read_member(path, archive, name, members[name], size) for new, name in names.items()}
    for X, y in (("X", "y"), ("X_val", "y_val")):
        if X in arrays and len(arrays[X]) != len(arrays[y]):
            lengths = (
                f"the number of rows of {names[X]} is {len(arrays[X])}, and that of {names[y]} is {len(arrays[y])}"
            )
            raise DataFormatError(f"{path}: {lengths}")
    return arrays


def _names_of(path: Path, members: dict[str, zipfile.ZipInfo]) -> dict[str, str]:
    """Return the names in the file of X and y, and of X_val and y_val if it has them."""
    for scheme in _SCHEMES:
        X, y, X_val, y_val = scheme
        if {X, y} <= members.keys() and (X_val in members) == (y_val in members):
            return {new: name for new, name in zip(_NAMES, scheme, strict=True) if name in members}
    names = ", ".join(list(members)[:12]) or "none"
    allowed = "X and y, with or without X_val and y_val; or x_train, y_train, x_test and y_test"
    raise DataFormatError(f"{path}: its arrays are {names} (allowed: {allowed})")


def _read_member(path: Path, archive: zipfile.ZipFile, name: str, info: zipfile.ZipInfo, size: int) -> np.ndarray:
    if info.flag_bits & _ENCRYPTED or info.compress_type not in _METHODS:
        kind = "encrypted" if info.flag_bits & _ENCRYPTED else f"compressed by the method {info.compress_type}"
        raise DataFormatError(f"{path}: the array {name} is {kind} (allowed: what numpy.savez writes)")
    with archive.open(info) as stream:
        start = BytesIO(read_at_most(stream, _MAX_HEADER))
        shape, in_columns, dtype = _read_header(path, name, start)
        expected = prod(shape) * dtype.itemsize
        stated = f"its header states {counted(expected, 'byte')} of shape {shape}"
        # Neither the header nor the directory of the archive is trusted.
        if expected > min(info.file_size, size * DEFLATE_LIMIT):
            raise DataFormatError(f"{path}: the array {name} is truncated; {stated}, more than the file holds")
        content = bytearray(start.read())
        content += read_at_most(stream, expected + 1 - len(content))
    if len(content) != expected:
        fault = "is truncated" if len(content) < expected else "has trailing bytes"
        raise DataFormatError(f"{path}: the array {name} {fault}; {stated}")
    _check_content(path, name, content, dtype)
    array = np.frombuffer(content, dtype).reshape(shape, order="F" if in_columns else "C")
    return array if dtype.isnative else array.byteswap(inplace=True).view(dtype.newbyteorder("="))


def _read_header(path: Path, name: str, start: BytesIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    try:
        version = npy.read_magic(start)
        if version not in _READERS:
            raise ValueError(f"unknown version {version}")
        # Of a damaged header, numpy may guess that Python 2 wrote it.
        with warnings.catch_warnings(action="ignore"):
            shape, in_columns, dtype = _READERS[version](start)
    except _HEADER_FAULTS as error:
        raise DataFormatError(f"{path}: the header of {name} is not that of an array ({reason_of(error)})") from error
    if dtype.kind not in "biufcSUMm" or not dtype.itemsize or min(shape, default=0) < 0:
        kind = f"the type {dtype} and the shape {shape}"
        raise DataFormatError(f"{path}: the array {name} has {kind} (allowed: numbers, text, times; no Python objects)")
    if not shape:
        raise DataFormatError(f"{path}: {name} is a single value (allowed: an array with a row for each sample)")
    return shape, in_columns, dtype


def _check_content(path: Path, name: str, content: bytearray, dtype: np.dtype) -> None:
    """Refuse bytes that no value of the type has, since numpy would fail on them later."""
    if dtype.kind == "U":
        highest = np.frombuffer(content, np.dtype(np.uint32).newbyteorder(dtype.byteorder)).max(initial=0)
        damaged = highest > sys.maxunicode
    else:
        damaged = dtype.kind == "b" and np.frombuffer(content, np.uint8).max(initial=0) > 1
    if damaged:
        raise DataFormatError(f"{path}: the array {name} is damaged; it has values that {dtype} does not have")


@contextmanager
def _named_zip_faults(path: Path) -> Iterator[None]:
    """Replace the errors of a damaged archive by a DataFormatError that names the file."""
    # zipfile raises several of the built-in errors for damaged archives.
    builtin = (ValueError, RuntimeError, NotImplementedError, KeyError, IndexError, OverflowError, struct.error)
    try:
        with named_faults(path):
            yield
    except DataFormatError:
        raise
    except (zipfile.BadZipFile, *builtin) as error:
        raise DataFormatError(f"{path}: cannot be read as an NPZ file ({reason_of(error)})") from error
