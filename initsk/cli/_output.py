"""Output of all commands: tables on standard output, and messages of one line on standard error."""

import os
import sys
from contextlib import suppress
from typing import IO

import click

from initsk.cli._interrupts import INTERRUPTED, was_interrupted


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
        click.echo(text, file=stdout)
    except OSError as error:
        _drop_output()
        raise OutputError(f"the output cannot be written ({error.strerror})") from error


def say(line: str) -> None:
    """Print one line on standard error, if that can be written."""
    with suppress(OSError):
        click.echo(" ".join(line.split()), err=True)


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


def _drop_output() -> None:
    """Send the rest of the output nowhere, or Python would try to write it once more at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
