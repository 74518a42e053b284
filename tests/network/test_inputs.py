"""Arguments and targets in mappings, graphs and streams; graphs are recognized by their methods."""

from collections import UserDict
from pathlib import Path

import pytest
import torch
from torch import nn

from initsk import audit, diagnose, initialize, inspect_activations, recommend_initializer
from initsk.exceptions import InvalidParameterError
from initsk.network import arguments_of, as_batch, count_samples, first_batch, has_targets, read
from tests.helpers import batch, build, fc

NODES, EDGES, LABELS = batch(4, 3), torch.tensor([[0, 1, 2], [1, 2, 3]]), torch.arange(4) % 2


class Graph:
    """A graph with the methods of those of torch_geometric."""

    def __init__(self, **fields):
        self.fields = dict(fields)
        self.num_nodes = 4

    def __getitem__(self, name):
        return self.fields[name]

    def __setitem__(self, name, value):
        self.fields = self.fields | {name: value}

    def __getattr__(self, name):
        if name == "fields" or name not in self.fields:
            raise AttributeError(name)
        return self.fields[name]

    def keys(self):
        return list(self.fields)

    def to(self, device):
        return self


class Convolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)

    def forward(self, x, edge_index, edge_weight=None):
        h = self.fc(x)
        return torch.zeros_like(h).index_add(0, edge_index[1], h[edge_index[0]])


class OfData(Convolution):
    def forward(self, data):
        return super().forward(data.x, data.edge_index)


class Labeled(nn.Linear):
    def forward(self, input, labels=None):
        scores = super().forward(input)
        return {"loss": None if labels is None else nn.functional.cross_entropy(scores, labels), "logits": scores}


class Anything(nn.Linear):
    def forward(self, **kwargs):
        return super().forward(kwargs["input"])


GRAPH = Graph(y=LABELS, edge_index=EDGES, x=NODES.double(), train_mask=LABELS > 0)


def test_a_graph_becomes_the_fields_that_forward_takes():
    arguments, y = arguments_of(build(Convolution), GRAPH)
    assert list(arguments) == ["x", "edge_index"]
    assert y is LABELS
    assert arguments_of(build(Convolution), GRAPH, 1 - LABELS)[1] is not LABELS


class Graphs(torch.utils.data.Dataset):
    def __len__(self):
        return 20

    def __getitem__(self, number):
        return GRAPH


@pytest.mark.parametrize("graphs", [[GRAPH] * 20, Graphs()])
@pytest.mark.parametrize("function", [diagnose, audit, inspect_activations, recommend_initializer, read])
def test_graphs_one_by_one_are_refused_with_the_loader_that_joins_them(function, graphs):
    with pytest.raises(InvalidParameterError, match=r"X holds Graph objects one by one \(allowed: .*DataLoader"):
        function(build(Convolution), graphs)


def test_a_graph_is_one_object_for_a_forward_that_takes_data():
    found = as_batch(build(OfData), GRAPH)
    [graph] = found.inputs
    assert isinstance(graph, Graph)
    assert (graph.x.dtype, graph.edge_index.dtype) == (torch.float32, torch.int64)
    assert GRAPH.x.dtype == torch.float64
    assert torch.equal(found.target, LABELS)
    assert found.n_samples == 4


def test_both_forms_of_a_graph_are_inspected_alike():
    module, same = build(Convolution), build(OfData)
    same.load_state_dict(module.state_dict())
    frames = [
        inspect_activations(net, GRAPH, gradients=True, batch_size=2).to_frame("gradients") for net in (module, same)
    ]
    assert frames[0].equals(frames[1])
    assert len(frames[0])


def test_a_graph_without_the_arguments_of_forward_is_an_error():
    with pytest.raises(InvalidParameterError, match="Graph has pos, and forward takes x, edge_index, edge_weight"):
        as_batch(build(Convolution), Graph(pos=NODES))


@pytest.mark.parametrize("name", ["labels", "label", "targets", "target", "y"])
def test_targets_that_forward_does_not_take_are_the_targets(name):
    for X in ({"input": NODES, name: LABELS}, UserDict({"input": NODES, name: LABELS})):
        arguments, y = arguments_of(build(lambda: nn.Linear(3, 2)), X)
        assert list(arguments) == ["input"]
        assert y is LABELS
        assert has_targets(X)


def test_labels_that_forward_takes_are_passed_on():
    X = {"input": NODES, "labels": LABELS}
    assert arguments_of(build(lambda: Labeled(3, 2)), X) == (X, None)
    assert arguments_of(build(lambda: Anything(3, 2)), X) == (X, None)
    own, plain = build(lambda: Labeled(3, 2)), build(lambda: nn.Linear(3, 2))
    plain.load_state_dict(own.state_dict())
    frames = [inspect_activations(net, X, gradients=True).parameters() for net in (own, plain)]
    assert frames[0].equals(frames[1])


def test_gradients_without_targets_are_an_error():
    with pytest.raises(InvalidParameterError, match="needs y"):
        inspect_activations(build(lambda: Labeled(3, 2)), {"input": NODES}, gradients=True)


def test_lists_of_a_stream_are_arguments():
    X = torch.ones(4, 1)
    assert first_batch(fc(), iter([[X]]))[0][0] is X
    arguments, y = first_batch(fc(), iter([[[X, X], LABELS]]))
    assert isinstance(arguments, tuple)
    assert y is LABELS


@pytest.mark.parametrize(
    ("X", "expected"),
    [
        (NODES, 4),
        ((NODES, EDGES), None),
        ({"x": NODES, "positions": torch.zeros(1, dtype=torch.int64)}, 4),
        ({"x": NODES, "mask": torch.zeros(3, 3) > 0, "n": 3}, 4),
        (GRAPH, None),
    ],
    ids=["array", "edges", "positions", "mask", "graph"],
)
def test_what_can_be_split(X, expected):
    assert count_samples(X) == expected


@pytest.mark.parametrize("given", ["data.csv", b"data.csv", Path("data.csv"), ("data.csv",)])
@pytest.mark.parametrize("function", [audit, diagnose, initialize, inspect_activations, read, recommend_initializer])
def test_text_is_no_data(function, given):
    y = {"y": [0]} if function is diagnose else {}
    with pytest.raises(InvalidParameterError, match=r"^X=.*data.csv.* is text .allowed: numbers, a row per sample"):
        function(fc(), X=given, **y)
