"""The table of README.md and the tests of this folder name each other."""

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
ROW = re.compile(r"^\| \[\S+ (\d+)\]\(https://github\.com/\S+/issues/\1\) \| [^|]+\. \| \[(\S+)\]\(\2\) `(\w+)` \|$")


def test_every_test_holds_a_report_and_every_report_has_a_test():
    lines = [line for line in (HERE / "README.md").read_text().splitlines() if line.startswith("|")][2:]
    rows = [ROW.match(line) for line in lines]
    assert [line for line, row in zip(lines, rows, strict=True) if row is None] == []
    written = {
        (path.name, node.name)
        for path in HERE.glob("test_*.py")
        if path != Path(__file__)
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    assert len(written) > 40
    assert {row.group(2, 3) for row in rows} == written
