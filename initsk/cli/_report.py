"""The command ``initsk report``, and where all commands write their reports."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from initsk.cli._output import fail, say
from initsk.comparison import ComparisonResult
from initsk.exceptions import InitskError, InvalidParameterError


def run_report(store: Path, out: Path | None, **options: Any) -> int:
    """Write the page and the tables of a store; return the exit code."""
    folder = out or Path("reports") / store.name.split(".")[0]
    try:
        check_folder("--out", folder)
        page = write_comparison(ComparisonResult.from_store(store), folder, **options)
    except InitskError as error:
        return fail("report", str(error))
    except OSError as error:
        return fail("report", f"{folder} cannot be written ({error.strerror})", 1)
    show_page(page, options["open"])
    return 0


def write_comparison(result: ComparisonResult, folder: Path, *, axes: str, language: str, **options: Any) -> Path:
    """Write the tables and the page of a comparison; return the path of the page."""
    result.to_csv(folder)
    return result.to_html(folder / "index.html", axes=axes, language=language)


def check_folder(option: str, folder: Path, name: str = "") -> None:
    """Raise before any work is done if a folder, or a file in it, cannot be written; nothing is left there."""
    # A link may lead to nothing, or in a circle.
    existing = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    try:
        os.stat(existing)
        with suppress(FileNotFoundError):
            os.stat(folder / name)
        with tempfile.TemporaryDirectory(dir=existing):
            pass
    except OSError as error:
        reason = f"{error.strerror}: {existing}"
        raise InvalidParameterError(f"{option} {str(folder / name)!r} cannot be written ({reason})") from error


def show_page(page: Path, in_browser: bool) -> None:
    """Print the path of a page; open the page if `in_browser`."""
    say(f"report: {page}")
    if in_browser:
        click.launch(page.resolve().as_uri())
