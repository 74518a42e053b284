"""The table of architectures itself: each row builds and runs, and its facts agree with the module."""

import pytest
import torch

from tests.zoo.table import all_rows, built, matching, run

ROWS = all_rows()


def parametrize(rows):
    """Run a test for each row; rows that need a library are slow."""
    cases = [
        pytest.param(row, id=f"{row.package}-{row.name}", marks=[] if row.package == "torch" else pytest.mark.slow)
        for row in rows
    ]
    return pytest.mark.parametrize("row", cases, indirect=True)


def test_names_are_unique():
    names = [(row.package, row.name) for row in ROWS]
    assert len(set(names)) == len(names)


def test_the_table_is_large():
    assert len(ROWS) >= 85


@parametrize(ROWS)
def test_runs_on_its_inputs(row):
    run(built(row), row.inputs())


def same_under_two_seeds(row, patterns):
    """Yield each parameter that a pattern matches, and whether its values are the same under two seeds."""
    first, second = built(row), dict(built(row, seed=1).named_parameters())
    for pattern in patterns:
        found = matching(first, pattern)
        assert found, f"no parameter is named like {pattern!r}"
        yield from ((name, torch.equal(value, second[name])) for name, value in found.items())


@parametrize([row for row in ROWS if row.kept])
def test_kept_parameters_do_not_depend_on_the_seed(row):
    assert [name for name, same in same_under_two_seeds(row, row.kept) if not same] == []


@parametrize([row for row in ROWS if row.own_distribution])
def test_parameters_of_an_own_distribution_depend_on_the_seed(row):
    assert [name for name, same in same_under_two_seeds(row, row.own_distribution) if same] == []
