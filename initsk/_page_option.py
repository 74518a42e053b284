"""What ``--report``, ``--language`` and ``--open`` ask for."""

from pathlib import Path
from typing import Any

import click

from initsk.utils._reported import Reported


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
