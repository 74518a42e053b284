"""Output of all commands: tables on standard output, and messages of one line on standard error.

Everything that a command shows passes through `show` and `say`, so that a terminal obeys no name.
"""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
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
    try:
        _echo(text, stdout or sys.stdout)
    except OSError as error:
        _drop_output()
        raise OutputError(f"the output cannot be written ({error.strerror})") from error


@contextmanager
def all_streams() -> Iterator[None]:
    """Replace closed standard streams (``>&-``) by the null device, or the next file would get the number of one."""
    with ExitStack() as stack:
        for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
            if getattr(sys, name) is None:
                setattr(sys, name, stack.enter_context(open(os.devnull, mode)))
                stack.callback(setattr, sys, name, None)
        yield


def table_text(frame: "pd.DataFrame", **options: Any) -> str:
    """Return a frame as a table for the terminal, a line for each row."""
    shown = frame.map(lambda value: visible(value) if isinstance(value, str) else value)
    return str(shown.rename(columns=visible).to_string(index=False, na_rep="-", **options))


@contextmanager
def warnings_as_lines(context: click.Context) -> Iterator[None]:
    """Print each warning of Python as one line, without the place in the code."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda warning, *_, **__: say(f"initsk {context.invoked_subcommand}: {warning}")
        yield


def say(line: str) -> None:
    """Print one line on standard error, if that can be written."""
    with suppress(OSError):
        _echo(brief(line), sys.stderr)


def fail(command: str, message: str, code: int = 2) -> int:
    """Print a message as one line on standard error; return the exit code.

    Raises
    ------
    KeyboardInterrupt
        If the command was interrupted: then the message is about what the interrupt has broken.
    OutputError
        If what reads the output has ended: then the message is about the user's code that has printed.
    """
    if was_interrupted() and code != INTERRUPTED:
        raise KeyboardInterrupt
    _check_reader(sys.exception())
    say(f"initsk {command}: {message.removeprefix(f'{command}: ')}")
    return code


def _check_reader(error: BaseException | None) -> None:
    """Raise OutputError if an error of the user's code comes from its own output, which is not read any more."""
    while error is not None and not isinstance(error, BrokenPipeError):
        error = error.__cause__ or error.__context__
    if error is not None:
        # It may have been another pipe; a flush alone forgets what could not be written.
        show("")


def _echo(text: str, stream: IO[str]) -> None:
    """Print text with escapes for what the stream cannot show."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    click.echo(visible(text, lines=True).encode(encoding, "backslashreplace").decode(encoding), file=stream)


def _drop_output() -> None:
    """Send the rest of the output nowhere, or Python would try to write it once more at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
