"""Output of all commands: tables on standard output, and messages of one line on standard error.

Everything that a command shows passes through `show` and `say`, so that a terminal obeys no name.
"""

import os
import sys
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

import click

from initsk.cli._interrupts import INTERRUPTED, was_interrupted
from initsk.text import brief, visible

if TYPE_CHECKING:
    import pandas as pd


class OutputError(Exception):
    """Standard output cannot be written; the cause is an OSError."""


def show(text: str, stdout: IO[str] | None = None) -> None:
    """Print a text on standard output, or on what `stdout` is.

    Raises
    ------
    OutputError
        If the disk is full, or what reads the output has ended.
    """
    stream = stdout or sys.stdout
    if stream is None:
        raise OutputError("standard output is closed")
    try:
        _echo(text, stream)
    except OSError as error:
        _drop_output()
        raise OutputError(f"the output cannot be written ({error.strerror})") from error


def table_text(frame: "pd.DataFrame", **options: Any) -> str:
    """Return a frame as a table for the terminal, a line for each row."""
    shown = frame.map(lambda value: visible(value) if isinstance(value, str) else value)
    return str(shown.rename(columns=visible).to_string(index=False, na_rep="-", **options))


def say(line: str) -> None:
    """Print one line on standard error, if that can be written."""
    with suppress(OSError):
        if sys.stderr is not None:
            _echo(brief(line), sys.stderr)


def fail(command: str, message: str, code: int = 2) -> int:
    """Print a message as one line on standard error; return the exit code.

    Raises
    ------
    KeyboardInterrupt
        If the command was interrupted: then the message is about what the interrupt has broken.
    """
    if was_interrupted() and code != INTERRUPTED:
        raise KeyboardInterrupt
    say(f"initsk {command}: {message.removeprefix(f'{command}: ')}")
    return code


def _echo(text: str, stream: IO[str]) -> None:
    """Print text with escapes for what the stream cannot show."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    click.echo(visible(text, lines=True).encode(encoding, "backslashreplace").decode(encoding), file=stream)


def _drop_output() -> None:
    """Send the rest of the output nowhere, or Python would try to write it once more at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
