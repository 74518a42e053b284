"""Writing files so that an interruption leaves the old one."""

import os
from pathlib import Path
from uuid import uuid4


def write_atomic(path: str | Path, content: str | bytes) -> Path:
    """Write `content` beside `path`, then move it into place."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode("utf-8") if isinstance(content, str) else content
    temporary = path.parent / f".{path.name}.{uuid4().hex}"
    # Not by tempfile, whose files only their owner may read.
    try:
        handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    except OSError as error:
        # Of the file that was asked for.
        raise type(error)(error.errno, error.strerror, str(path)) from None
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink()
        raise
    return path
