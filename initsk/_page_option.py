"""What ``--report``, ``--language`` and ``--open`` ask for."""

import tempfile
from pathlib import Path
from typing import Any

import click

from initsk.exceptions import InvalidParameterError
from initsk.utils._reported import Reported


def check_folder(option: str, folder: Path) -> None:
    """Refuse a folder that cannot be written before any time is spent; nothing is left there."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryDirectory(dir=existing):
            pass
    except OSError as error:
        reason = f"{error.strerror}: {existing}"
        raise InvalidParameterError(f"{option} {str(folder)!r} cannot be written ({reason})") from error


def check_report(options: dict[str, Any]) -> None:
    """Refuse a report that cannot be written before any time is spent."""
    if options["report"] is not None:
        check_folder("--report", options["report"].parent)


def write_on_request(result: Reported, name: str, options: dict[str, Any]) -> None:
    """Write the report where it is wanted, and open it."""
    if options["report"] is None and not options["open"]:
        return
    page = result.to_html(options["report"] or Path("reports") / f"{name}.html", language=options["language"])
    click.echo(f"report: {page}", err=True)
    if options["open"]:
        open_page(page)


def open_page(page: Path) -> None:
    """Open a page in the user's browser."""
    click.launch(page.resolve().as_uri())
