"""What `initsk list` prints: a table for the terminal, or the page docs/initializers.md."""

import pandas as pd

from initsk.initializers import FRAMEWORK_NAMES, list_initializers

_PAGE = """# The initializers

Names, laws and references of everything that `get_initializer` knows. Written by
`initsk list --markdown > docs/initializers.md`; a test holds it to the code. The docstring of each class
says the law in full, and how other frameworks differ. *Needs* says what `initialize` must be given
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
        for name, law, needs, reference in rows[["name", "law", "needs", "reference"]].astype(str).to_numpy().tolist():
            lines.append(f"  {name:22} {law}" + (f" (needs {needs})" if needs else ""))
            lines += [f"  {'':22} {reference}"] if reference else []
    return "\n".join(lines)


def list_markdown() -> str:
    """Return the page."""
    own = _own()[["name", "synonyms", "family", "law", "needs", "reference"]]
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
