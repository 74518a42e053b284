"""The page of architectures."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from initsk.utils.markdown import escaped
from tests.zoo.table import all_rows
from tests.zoo.write_table import NAMES, READ, label, page

PAGE = Path(__file__).parents[2] / "docs" / "networks.md"
PACKAGES = {row.package for row in all_rows()}


def cells_of_the_page():
    """Return the cells of each row by title."""
    titles, *rows = [
        line.removeprefix("| ").removesuffix(" |").split(" | ")
        for line in PAGE.read_text().splitlines()
        if line.startswith("| ") and not line.startswith("| ---")
    ]
    assert titles == NAMES + READ
    return [dict(zip(titles, row, strict=True)) for row in rows]


def test_the_page_lists_every_row():
    listed = [[row[title] for title in NAMES] for row in cells_of_the_page()]
    assert sorted(listed) == sorted(map(label, all_rows()))


def test_the_page_agrees_with_the_facts_of_the_table():
    listed = {(row["package"], row["architecture"]): row for row in cells_of_the_page()}
    for row in all_rows():
        _, name, package = label(row)
        shown = listed[package, name]
        assert row.depth is None or shown["depth"] == str(row.depth), row.name
        assert row.branches is None or shown["branches"] == str(row.branches), row.name
        assert shown["activation functions"] == escaped(", ".join(sorted(row.activations))), row.name
        assert row.left_reason is not None or shown["left"] == "0.0%", row.name


@pytest.mark.slow
@pytest.mark.skipif(not all(map(find_spec, PACKAGES)), reason="needs every library of the table")
def test_the_page_is_generated():
    assert PAGE.read_text() == page()
