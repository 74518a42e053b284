"""The command ``initsk report``, and where all commands write their reports."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import click

from initsk.cli._interrupts import INTERRUPTED, is_interrupt
from initsk.cli._output import fail, say
from initsk.comparison import ComparisonResult
from initsk.exceptions import InitskError, InvalidParameterError, StoreError

_PAGE, _RUNS = "index.html", "runs.csv"
_FOLDER = Path("reports")
_PAGES = (".html", ".htm")


class Place(NamedTuple):
    """Where a report goes, and the earlier report that kept it from the usual place."""

    path: Path
    taken: Path | None = None


def run_report(store: Path, out: Path | None, *, force: bool, **options: Any) -> int:
    """Write the page and the tables of a store; return the exit code."""
    name = store.name.split(".")[0]
    folder = out or _FOLDER / name
    try:
        place = choose_folder(name, out, store, force=force)
        page = write_comparison(ComparisonResult.from_store(store), place.path, **options)
    except InitskError as error:
        return fail("report", str(error))
    except OSError as error:
        return fail("report", f"{folder} cannot be written ({error.strerror})", 1)
    except BaseException as error:
        if not is_interrupt(error):
            raise
        return fail(
            "report",
            f"interrupted; {folder} has only a part of the report, and {store} still has the runs",
            INTERRUPTED,
        )
    show_page(page, place, options["open"])
    return 0


def write_comparison(result: ComparisonResult, folder: Path, *, axes: str, language: str, **options: Any) -> Path:
    """Write the tables and the page of a comparison; return the path of the page."""
    result.to_csv(folder)
    return result.to_html(folder / _PAGE, axes=axes, language=language)


def choose_folder(name: str, out: Path | None, store: Path | None, *, force: bool) -> Place:
    """Return the folder for the report of a comparison: `out`, or the first of reports/NAME, reports/NAME-2, ...

    No report of other runs is overwritten, unless `force`. A folder whose runs are all in the store is written again.

    Raises
    ------
    InvalidParameterError
        If `out` has a report of other runs, or a folder cannot be written.
    """
    return _chosen("--out", _FOLDER / name, out, lambda path: _is_free(path, store), force=force)


def choose_page(command: str, report: Path | None, *, force: bool) -> Place:
    """Return the file for a page: `report`, or the first of reports/COMMAND.html, reports/COMMAND-2.html, ...

    No file is overwritten, unless `force`.

    Raises
    ------
    InvalidParameterError
        If `report` exists, cannot be written, or has the ending of another format.
    """
    if report is not None and report.suffix.lower() not in _PAGES:
        raise InvalidParameterError(f"--report {str(report)!r} is no page (allowed: a file ending with .html or .htm)")
    return _chosen("--report", _FOLDER / f"{command}.html", report, lambda path: not os.path.lexists(path), force=force)


def _chosen(option: str, default: Path, given: Path | None, is_free: Callable[[Path], bool], *, force: bool) -> Place:
    path = default if given is None else given
    _check_writable(option, path)
    if force or is_free(path):
        return Place(path)
    if given is not None:
        raise InvalidParameterError(f"{option} {str(path)!r} has a report already; --force overwrites it")
    return Place(next(other for other in _numbered(path) if is_free(other)), path)


def _numbered(path: Path) -> Iterator[Path]:
    stem, suffix = (path.stem, path.suffix) if path.suffix == ".html" else (path.name, "")
    return (path.with_name(f"{stem}-{number}{suffix}") for number in count(2))


def _is_free(folder: Path, store: Path | None) -> bool:
    """Return whether a folder has no report of a comparison, or one whose runs are all in the store."""
    if not os.path.lexists(folder / _PAGE) and not os.path.lexists(folder / _RUNS):
        return True
    if store is None or not store.exists():
        return False
    try:
        there = (folder / _RUNS).read_bytes().splitlines()
        result = ComparisonResult.from_store(store)
    except (OSError, StoreError):
        return False
    with tempfile.TemporaryDirectory() as scratch:
        result.to_csv(scratch)
        here = (Path(scratch) / _RUNS).read_bytes().splitlines()
    return there[:1] == here[:1] and {*there} <= {*here}


def _check_writable(option: str, path: Path) -> None:
    """Raise before any work is done if a folder, or a file in one, cannot be written; nothing is left there."""
    folder = path if option == "--out" else path.parent
    # A link may lead to nothing, or in a circle.
    existing = next(part for part in (folder, *folder.absolute().parents) if os.path.lexists(part))
    try:
        os.stat(existing)
        with suppress(FileNotFoundError):
            os.stat(path)
        with tempfile.TemporaryDirectory(dir=existing):
            pass
    except OSError as error:
        reason = f"{error.strerror}: {existing}"
        raise InvalidParameterError(f"{option} {str(path)!r} cannot be written ({reason})") from error


def show_page(page: Path, place: Place, in_browser: bool) -> None:
    """Print the path of a page, and which earlier report stays; open the page if `in_browser`."""
    if place.taken is not None:
        say(f"{place.taken} has another report and stays unchanged; this report goes to {place.path}")
    say(f"report: {page}")
    if in_browser:
        click.launch(page.resolve().as_uri())
