"""The guide on reliability gives the numbers of inputs that the fuzz tests try, and names tests that exist."""

import importlib
import re
from math import prod
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guide" / "reliability.md").read_text()
FILES = sorted(path.stem for path in (ROOT / "tests" / "fuzz").glob("test_*.py"))
ROWS = dict(re.findall(r"^\| `(test_\w+)\.py` \| [^|]* \| ([\d,]+) \|", GUIDE, flags=re.MULTILINE))


def n_inputs(test):
    """Return the number of inputs of the slow run of a test: its examples for every other parameter."""
    marks = {mark.args[0]: mark.args[1] for mark in test.pytestmark if mark.name == "parametrize"}
    longest = max(getattr(value, "values", (value,))[0] for value in marks.pop("examples"))
    return longest * prod(map(len, marks.values()))


@pytest.mark.parametrize("name", FILES)
def test_the_guide_counts_the_inputs(name):
    module = importlib.import_module(f"tests.fuzz.{name}")
    tests = [test for key, test in vars(module).items() if key.startswith("test_") and hasattr(test, "pytestmark")]
    fuzzed = [test for test in tests if any(m.args and m.args[0] == "examples" for m in test.pytestmark)]
    assert ROWS[name] == f"{sum(map(n_inputs, fuzzed)):,}"


def test_the_guide_names_files_that_exist():
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", GUIDE))
    assert named
    assert [path for path in named if not (ROOT / path).is_file()] == []


def test_at_least_two_thousand_files_and_stores_are_tried():
    assert sum(int(ROWS[name].replace(",", "")) for name in ("test_files", "test_stores")) >= 2000
