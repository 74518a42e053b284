"""Atomic writing of files: an interruption leaves the old file."""

import os
from pathlib import Path
from uuid import uuid4


def write_atomic(path: str | Path, content: str | bytes) -> Path:
    """Write `content` to a temporary file in the same folder, rename it to `path`, and return the path."""
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
