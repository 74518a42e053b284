"""Inspections of the networks in the table: no crash, no function missed, and no constants among the layers."""

import pytest
import torch

import initsk
from initsk.network import ACTIVATIONS
from tests.zoo.table import all_rows, built, isolated

ROWS = [
    pytest.param(row, id=f"{row.package}-{row.name}", marks=[] if row.package == "torch" else pytest.mark.slow)
    for row in all_rows()
]
each_row = pytest.mark.parametrize("row", ROWS, indirect=True)
_NAMES = {kind.__name__: name for name, kind in reversed(ACTIVATIONS.items())}

# Layers whose values depend on the input by the operations, but not by the numbers.
_CONSTANT = {
    # The class token, selected from a concatenation with the input.
    "cait_xxs24_224": {"blocks_token_only.0.attn.q"},
    "xcit_nano_12_p16_224": {"cls_attn_blocks.0.attn.q"},
    # Zeros, selected by positions that are counted from the input.
    "RobertaForSequenceClassification": {"roberta.embeddings.token_type_embeddings"},
}


def inspect(module, inputs):
    with isolated():
        summary = initsk.inspect_activations(module, inputs, measures=("units",))
    return summary.to_frame().set_index(["layer", "position"])


def changed(value, change_integers):
    """Return inputs with other values in tensors that are no masks."""
    if isinstance(value, dict):
        return {key: changed(part, change_integers) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(changed(part, change_integers) for part in value)
    if not isinstance(value, torch.Tensor):
        return value
    if value.is_floating_point():
        return 1.5 * value + 0.1
    return (value + 1) % (value.max() + 1) if change_integers and value.numel() and value.max() > 1 else value


@each_row
def test_every_function_that_follows_a_layer_is_captured(row):
    with isolated():
        module, inputs = built(row), row.inputs()
        graph = initsk.network.read(module, X=inputs)
    frame = inspect(module, inputs)
    found = {_NAMES.get(name, name) for name in frame["function"]}
    operations = graph.to_frame()["activation"]
    # Functions of constants alone, as those of a table of positions, are none of a layer.
    constant = {operations[o.number] for o in graph.operations if o.constant}
    constant -= {operations[o.number] for o in graph.operations if not o.constant}
    assert set(row.activations) - constant <= found
    assert set(graph.activations) - constant <= found | {"identity"}


@each_row
def test_the_values_of_every_layer_depend_on_the_input(row):
    with isolated():
        module, inputs = built(row), row.inputs()
    first = inspect(module, inputs)
    # The integers of a graph are the numbers of its nodes.
    second = inspect(module, changed(inputs, row.package != "torch_geometric"))
    columns, both = ["mean", "rms", "min", "max"], first.index.intersection(second.index)
    # Last layers of branches may be zero at the start.
    same = (first.loc[both, columns] == second.loc[both, columns]).all(axis=1) & (first.loc[both, "rms"] > 0)
    # The sigmoid of small values is one half.
    constant = same.groupby("layer").all()
    assert set(constant.index[constant]) <= _CONSTANT.get(row.name, set())
