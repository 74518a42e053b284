"""Printing: everything that a command shows passes through `say`, so that a terminal obeys no name."""

import sys
from typing import TYPE_CHECKING, Any, TextIO

import click

from initsk.text import visible

if TYPE_CHECKING:
    import pandas as pd


def say(text: str, *, err: bool = False, file: TextIO | None = None) -> None:
    """Print text on standard output (or standard error), with escapes for what the stream cannot show."""
    stream = file or (sys.stderr if err else sys.stdout)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    shown = visible(text, lines=True).encode(encoding, "backslashreplace").decode(encoding)
    click.echo(shown, file=stream)


def table_text(frame: "pd.DataFrame", **options: Any) -> str:
    """Return a frame as a table for the terminal, a line for each row."""
    shown = frame.map(lambda value: visible(value) if isinstance(value, str) else value)
    return str(shown.rename(columns=visible).to_string(index=False, na_rep="-", **options))
