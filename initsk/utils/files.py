"""Opening files for reading, and writing files so that an interruption leaves the old file."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from initsk.exceptions import DataFormatError, InitskError, InvalidParameterError

try:
    import fcntl
except ImportError:  # Windows does not delete a file that a process has open, so it needs no lock.
    fcntl = None  # type: ignore[assignment]

_HEX = frozenset("0123456789abcdef")
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def as_path(path: object, name: str = "path", error_class: type[InitskError] = InvalidParameterError) -> Path:
    """Return a path with ``~`` replaced by the home folder; no file of the path need exist.

    Raises
    ------
    InvalidParameterError
        If `path` is not a path; the message begins with `name`.
    InitskError
        Of the given class, if no file can have the path.

    Examples
    --------
    >>> as_path(None, "folder")
    Traceback (most recent call last):
    ...
    initsk.exceptions.InvalidParameterError: folder=None is not allowed (a path)
    """
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str) or not text:
        raise InvalidParameterError(f"{name}={path!r} is not allowed (a path)")
    if "\0" in text:
        raise error_class(f"{path} cannot be read or written (a path has no NUL character)")
    # Other than Path.expanduser, this leaves the name of a folder that begins with ~ as it is.
    return Path(os.path.expanduser(text))


def as_folder(path: object) -> Path:
    """Return the path of a folder, as `as_path` does; the folder need not exist.

    Raises
    ------
    InvalidParameterError
        If `path` is not a path, or is that of a file.
    """
    folder = as_path(path, "folder")
    if folder.exists() and not folder.is_dir():
        raise InvalidParameterError(f"folder={str(folder)!r} is not allowed (a folder; this is a file)")
    return folder


def open_regular(path: str | Path, error_class: type[InitskError] = DataFormatError) -> BinaryIO:
    """Open a file for reading bytes; only a regular file, so that no pipe or device is waited for.

    Raises
    ------
    InitskError
        Of the given class, if there is no such file, it is of another kind, or it cannot be opened; the message names
        the file.
    """
    try:
        kind = stat.S_IFMT(os.stat(path).st_mode)
        if kind == stat.S_IFREG:
            return open(path, "rb")
        reason = f"is {_KINDS.get(kind, 'not a file')}"
    except OSError as error:
        reason = f"cannot be read ({error.strerror})"
    raise error_class(f"{path}: {reason}; allowed: a regular file")


def write_atomic(path: str | Path, content: str | bytes, *, replace: bool = True) -> Path:
    """Write `content` to a draft in the same folder, rename it to `path`, and return the path.

    The file that a symbolic link names is written. A device, a pipe or a folder is refused with an OSError. Without
    `replace`, a file that exists already stays as it is. Drafts of the same file that a killed process has left are
    removed.
    """
    given = path = Path(path)
    if path.is_symlink():
        path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        kind = _KINDS.get(stat.S_IFMT(path.stat().st_mode), "not a file")
        raise OSError(errno.EINVAL, f"it is {kind}; allowed: a regular file", str(given))
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode("utf-8") if isinstance(content, str) else content
    _remove_drafts(path)
    with _draft(path) as (draft, handle):
        # Windows does not rename a file that is open.
        with os.fdopen(handle, "wb", closefd=fcntl is None) as stream:
            stream.write(data)
        if replace:
            os.replace(draft, path)
        else:
            _publish(draft, path)
    return given


@contextmanager
def _draft(path: Path) -> Iterator[tuple[Path, int]]:
    """Create a draft and lock it, so that no other process takes it for one that was left; remove it at the end."""
    draft, handle = _create(path)
    while fcntl is not None:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if draft.exists():
            break
        # Another process has removed the draft before it was locked.
        os.close(handle)
        draft, handle = _create(path)
    try:
        yield draft, handle
    finally:
        if fcntl is not None:
            os.close(handle)
        draft.unlink(missing_ok=True)


def _create(path: Path) -> tuple[Path, int]:
    draft = path.parent / f"{_start(path)}{uuid4().hex}"
    # Files of the module tempfile would be readable only for their owner.
    try:
        return draft, os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    except OSError as error:
        # The error names the requested file.
        raise type(error)(error.errno, error.strerror, str(path)) from None


def _publish(draft: Path, path: Path) -> None:
    """Give the draft its name, unless another process has created the file."""
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    except OSError:
        # The file system has no links.
        if not path.exists():
            os.replace(draft, path)


def _start(path: Path) -> str:
    """Return the first characters of the names of drafts; a name has at most 255 bytes."""
    return f".{path.name[:48]}."


def _remove_drafts(path: Path) -> None:
    """Remove the drafts of `path` that no process is writing."""
    start = _start(path)
    with os.scandir(path.parent) as entries:
        names = [entry.name for entry in entries if entry.name.startswith(start)]
    for name in names:
        end = name.removeprefix(start)
        if len(end) == 32 and _HEX.issuperset(end):
            with suppress(OSError):
                _remove_if_left(path.parent / name)


def _remove_if_left(draft: Path) -> None:
    if fcntl is None:
        draft.unlink()
        return
    handle = os.open(draft, os.O_WRONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        draft.unlink()
    finally:
        os.close(handle)
