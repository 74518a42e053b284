"""Opening files for reading, and writing files atomically."""

import os
import stat
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from initsk.exceptions import DataFormatError


def open_regular(path: str | Path) -> BinaryIO:
    """Open a file for reading bytes; only a regular file, so that no pipe or device is waited for.

    Raises
    ------
    DataFormatError
        If there is no such file, it is of another kind, or it cannot be opened; the message names the file.
    """
    try:
        kind = stat.S_IFMT(os.stat(path).st_mode)
        if kind == stat.S_IFREG:
            return open(path, "rb")
        reason = f"is {_KINDS.get(kind, 'not a file')}"
    except OSError as error:
        reason = f"cannot be read ({error.strerror})"
    except ValueError:
        reason = "cannot be read (a path has no NUL character)"
    raise DataFormatError(f"{path}: {reason}; allowed: a regular file")


_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def write_atomic(path: str | Path, content: str | bytes) -> Path:
    """Write `content` to a temporary file in the same folder, rename it to `path`, and return the path.

    An interruption leaves the old file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode("utf-8") if isinstance(content, str) else content
    temporary = path.parent / f".{path.name}.{uuid4().hex}"
    # Files of the module tempfile would be readable only for their owner.
    try:
        handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    except OSError as error:
        # The error names the requested file.
        raise type(error)(error.errno, error.strerror, str(path)) from None
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink()
        raise
    return path
