"""The page of architectures."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.zoo.table import all_rows
from tests.zoo.write_table import label, page

PAGE = Path(__file__).parents[2] / "docs" / "networks.md"
PACKAGES = {row.package for row in all_rows()}


def test_the_page_lists_every_row():
    lines = PAGE.read_text().splitlines()
    listed = [line.rsplit("|", 2)[0] for line in lines if line.startswith("| ")][2:]
    assert sorted(listed) == sorted(f"| {' | '.join(label(row))} " for row in all_rows())


@pytest.mark.slow
@pytest.mark.skipif(not all(map(find_spec, PACKAGES)), reason="needs every library of the table")
def test_the_page_is_generated():
    assert PAGE.read_text() == page()
