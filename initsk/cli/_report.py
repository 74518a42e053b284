"""The command ``initsk report``, and where all commands write their reports."""

import tempfile
from pathlib import Path
from typing import Any

import click

from initsk.cli._terminal import say
from initsk.comparison import ComparisonResult
from initsk.exceptions import InitskError, InvalidParameterError
from initsk.text import brief, visible


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


def check_folder(option: str, folder: Path) -> None:
    """Raise before any work is done if a folder cannot be written; nothing is left there."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryDirectory(dir=existing):
            pass
    except OSError as error:
        reason = f"{error.strerror}: {existing}"
        raise InvalidParameterError(f"{option} {str(folder)!r} cannot be written ({reason})") from error


def show_page(page: Path, in_browser: bool) -> None:
    """Print the path of a page; open the page if `in_browser`."""
    say(f"report: {visible(str(page))}", err=True)
    if in_browser:
        click.launch(page.resolve().as_uri())


def fail(command: str, message: str, code: int = 2) -> int:
    """Print a message as one line on standard error; return the exit code."""
    say(f"initsk {command}: {brief(message.removeprefix(f'{command}: '))}", err=True)
    return code
