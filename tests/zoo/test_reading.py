"""The reading of the networks in the table agrees with the facts of their definitions."""

import pytest
import torch

import initsk
from tests.zoo.table import all_rows, built, isolated, matching, outcomes_of, read

ROWS = [
    pytest.param(row, id=f"{row.package}-{row.name}", marks=[] if row.package == "torch" else pytest.mark.slow)
    for row in all_rows()
]
each_row = pytest.mark.parametrize("row", ROWS, indirect=True)


@each_row
def test_branches(row):
    if row.branches is None:
        pytest.skip("the number of branches is a matter of definition")
    assert read(row, built(row)).n_branches == row.branches


@each_row
def test_depth(row):
    if row.depth is None:
        pytest.skip("the depth is a matter of definition")
    assert read(row, built(row)).depth == row.depth


@each_row
def test_activations(row):
    assert set(read(row, built(row)).activations) == set(row.activations)


@each_row
def test_deliberate_values_are_kept(row):
    module = built(row)
    special = {}
    for pattern in (*row.kept, *row.own_distribution):
        special |= {name: value.detach().clone() for name, value in matching(module, pattern).items()}
    outcomes = outcomes_of(row, module)
    assert {name: outcomes[name] for name in special if outcomes[name] != "kept"} == {}
    parameters = dict(module.named_parameters())
    assert [name for name, value in special.items() if not torch.equal(value, parameters[name])] == []


@each_row
def test_other_weights_are_filled(row):
    module = built(row)
    outcomes = outcomes_of(row, module)
    left = outcomes[outcomes == "left"].index.tolist()
    assert left == [] or row.left_reason is not None


@each_row
def test_reading_changes_nothing(row):
    module = built(row)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with isolated():
        initsk.network.read(module, X=row.inputs())
    after = module.state_dict()
    assert [name for name, value in before.items() if not torch.equal(value, after[name])] == []
