"""The command ``initsk list``: tables of initializers for the terminal and for the documentation."""

import pandas as pd

from initsk.initializers import FRAMEWORK_NAMES, list_initializers
from initsk.utils.markdown import markdown_table

_PAGE = """# The initializers

This page lists all initializers that `get_initializer` knows, with their names, formulas and references. The command
`initsk list --markdown > docs/initializers.md` writes it, and a test compares it with the code. The docstring of each
class has the full formula and the differences to other frameworks. *Needs* lists what `initialize` must be given
besides the module.

{own}

## Names of other frameworks

A name with a prefix draws what that framework draws under this name, with the framework's parameters, its defaults
and its way of counting fans: `get_initializer("torch.trunc_normal_").set_params(std=0.02)` has torch's absolute bounds.
The last column is the initializer that draws the same with these defaults.

{others}
"""


def list_text(framework: str | None) -> str:
    """Return the initializers as text for the terminal."""
    if framework is not None:
        return list_initializers(framework).to_string(index=False)
    lines = []
    for family, rows in _own().groupby("family", sort=False):
        lines.append(str(family))
        for row in rows.astype(str).to_dict("records"):
            lines.append(f"  {row['name']:22} {row['formula']}" + (f" (needs {row['needs']})" if row["needs"] else ""))
            lines += [f"  {'':22} {row['reference']}"] if row["reference"] else []
    return "\n".join(lines)


def list_markdown(framework: str | None) -> str:
    """Return the table of a framework, or the page of the documentation that lists all initializers."""
    if framework is not None:
        return _table(list_initializers(framework), code=2).removesuffix("\n")
    own = _own()[["name", "synonyms", "family", "formula", "needs", "reference"]]
    others = [f"### {name}\n\n{_table(list_initializers(name), code=2)}" for name in FRAMEWORK_NAMES]
    return _PAGE.format(own=_table(own, code=1), others="\n\n".join(others)).removesuffix("\n")


def _own() -> pd.DataFrame:
    frame = list_initializers()
    needs = frame["needs_data"].map({True: "X", False: ""}) + frame["needs_gradient"].map({True: ", y", False: ""})
    return frame.assign(needs=needs)


def _table(frame: pd.DataFrame, code: int) -> str:
    """Return a frame as a Markdown table whose first `code` columns are set as code."""
    rows = [[cell.replace("|", "\\|") for cell in row] for row in frame.astype(str).to_numpy().tolist()]
    return markdown_table(list(frame.columns), [[*(f"`{cell}`" for cell in row[:code]), *row[code:]] for row in rows])
