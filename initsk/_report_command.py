"""What ``initsk report`` does: a report from a store, finished or not."""

from pathlib import Path

import click

from initsk._page_option import check_folder, open_page
from initsk.comparison import ComparisonResult
from initsk.exceptions import InitskError


def run_report(store: Path, out: Path | None, axes: str, language: str, open: bool) -> int:
    """Read the store, write the page and the tables; returns the exit code."""
    folder = out or Path("reports") / store.name.split(".")[0]
    try:
        check_folder("--out", folder)
        result = ComparisonResult.from_store(store)
        result.to_csv(folder)
        page = result.to_html(folder / "index.html", axes=axes, language=language)
    except InitskError as error:
        click.echo(f"initsk report: {' '.join(str(error).split())}", err=True)
        return 2
    except OSError as error:
        click.echo(f"initsk report: {folder} cannot be written ({error.strerror})", err=True)
        return 1
    click.echo(f"report: {page}", err=True)
    if open:
        open_page(page)
    return 0
