"""Checks of a table before its values are read: different names of columns, and a plausible size."""

from collections.abc import Sequence
from pathlib import Path

from initsk.exceptions import DataFormatError

# More columns take minutes to read.
_MAX_COLUMNS = 50_000
# Tables of numbers shrink to a tenth or a fiftieth. What expands further may fill the memory of the machine.
_MAX_EXPANSION = 200
_ALWAYS_ALLOWED = 1 << 26


def check_names(path: Path, names: Sequence[str]) -> None:
    """Raise DataFormatError if there are too many columns, or two of the same name; names may be empty."""
    check_number(path, len(names))
    first: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        if name and first.setdefault(name, number) != number:
            raise DataFormatError(f"{path}: the columns {first[name]} and {number} have the same name {name!r}")


def check_number(path: Path, n_columns: int) -> None:
    """Raise DataFormatError if there are too many columns."""
    if n_columns > _MAX_COLUMNS:
        raise DataFormatError(
            f"{path}: the number of columns is {n_columns:,} (allowed: at most {_MAX_COLUMNS:,}; or an NPZ file)"
        )


def check_expansion(path: Path, n_bytes: int, size: int) -> None:
    """Raise DataFormatError if a file of `size` bytes expands to so many that it may be made to fill the memory."""
    if n_bytes > max(_MAX_EXPANSION * size, _ALWAYS_ALLOWED):
        raise DataFormatError(
            f"{path}: its size in bytes grows from {size:,} to {n_bytes:,} or more when it is read (allowed:"
            f" {_MAX_EXPANSION} times the size; save it without compression if this is right)"
        )
