"""Write the page of architectures: ``python -m tests.zoo.write_table > docs/networks.md``."""

from initsk.utils.markdown import escaped, markdown_table
from tests.zoo.table import Architecture, all_rows, built

TITLES = ["family", "architecture", "package", "parameters"]
INTRODUCTION = """\
# The networks

The tests build and run these networks. Networks of the package `torch` are written in `tests/zoo/`; the others
are built by the named library, most of them in small sizes, with random weights. The command
`python -m tests.zoo.write_table > docs/networks.md` writes this page. It needs `pip install -e '.[zoo]'`.
"""


def sorted_rows() -> list[Architecture]:
    """Return the rows in the order of the page."""
    return sorted(all_rows(), key=lambda row: (row.family.lower(), row.package, row.name.lower()))


def label(row: Architecture) -> list[str]:
    """Return the cells that need no library."""
    return [escaped(row.family), escaped(row.name), escaped(row.package)]


def page() -> str:
    """Return the page; every library must be installed."""
    cells = [[*label(row), f"{count(row):,}"] for row in sorted_rows()]
    return f"{INTRODUCTION}\n{markdown_table(TITLES, cells, [False, False, False, True])}\n"


def count(row: Architecture) -> int:
    """Return the number of parameters of a row's network."""
    return sum(parameter.numel() for parameter in built(row).parameters())


if __name__ == "__main__":
    print(page(), end="")
