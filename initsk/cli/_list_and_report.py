"""What ``--report``, ``--language`` and ``--open`` ask for."""

import tempfile
from pathlib import Path
from typing import Any

import click
import pandas as pd

from initsk.comparison import ComparisonResult
from initsk.exceptions import InitskError, InvalidParameterError
from initsk.initializers import FRAMEWORK_NAMES, list_initializers
from initsk.utils.results import Reported


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


_PAGE = """# The initializers

Names, formulas and references of everything that `get_initializer` knows. Written by
`initsk list --markdown > docs/initializers.md`; a test holds it to the code. The docstring of each class
gives the full formula and says how other frameworks differ. *Needs* says what `initialize` must be given
besides the module.

{own}

## Names of other frameworks

With a prefix, a name means what that framework draws under it, with its defaults, and counts fans as it does.

{others}
"""


def list_text(framework: str | None) -> str:
    """Return the table for the terminal."""
    if framework is not None:
        return list_initializers(framework).to_string(index=False)
    lines = []
    for family, rows in _own().groupby("family", sort=False):
        lines.append(str(family))
        shown = rows[["name", "formula", "needs", "reference"]].astype(str)
        for name, formula, needs, reference in shown.to_numpy().tolist():
            lines.append(f"  {name:22} {formula}" + (f" (needs {needs})" if needs else ""))
            lines += [f"  {'':22} {reference}"] if reference else []
    return "\n".join(lines)


def list_markdown() -> str:
    """Return the page."""
    own = _own()[["name", "synonyms", "family", "formula", "needs", "reference"]]
    others = [f"### {name}\n\n{_table(list_initializers(name), code=2)}" for name in FRAMEWORK_NAMES]
    return _PAGE.format(own=_table(own, code=1), others="\n\n".join(others))


def _own() -> pd.DataFrame:
    frame = list_initializers()
    needs = frame["needs_data"].map({True: "X", False: ""}) + frame["needs_gradient"].map({True: ", y", False: ""})
    return frame.assign(needs=needs)


def _table(frame: pd.DataFrame, code: int) -> str:
    """Write a frame as a Markdown table, with the first `code` columns as code."""
    rows = [list(frame.columns), ["---"] * len(frame.columns)]
    for values in frame.astype(str).itertuples(index=False):
        cells = [str(value).replace("|", "\\|") for value in values]
        rows.append([f"`{cell}`" if number < code else cell for number, cell in enumerate(cells)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


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
