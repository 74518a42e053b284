"""Inputs that fit a network are found without X."""

import logging

import pytest
import torch
from torch import nn

from initsk import network
from initsk.exceptions import ModuleError
from tests.helpers import build


@pytest.mark.parametrize(
    "factory",
    [
        lambda: nn.Linear(7, 2),
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 26 * 26, 2)),
        lambda: nn.Conv1d(2, 4, 5),
        lambda: nn.LSTM(3, 4, batch_first=True),
        lambda: nn.Embedding(5, 3),
        lambda: nn.Bilinear(4, 4, 2),
        lambda: nn.MultiheadAttention(4, 2),
        lambda: nn.Transformer(8, 2, 1, 1, 16, batch_first=True),
        lambda: nn.ConvTranspose2d(8, 4, 4),
        lambda: nn.BatchNorm2d(3),
        lambda: nn.GRUCell(3, 4),
    ],
)
def test_an_input_is_found(factory):
    module = build(factory)
    graph = network.read(module)
    assert graph.reading == "forward pass"
    assert set(graph.uses) == {name for name, _ in module.named_parameters()}


class OfOneSize(nn.Module):
    """Convolutions without strides, whose output fits the head for images of one size only."""

    def __init__(self, size, value=False):
        super().__init__()
        self.enter, self.head, self.value = nn.Conv2d(3, 4, 3), nn.Linear(4 * (size - 2) ** 2, 2), value

    def forward(self, x):
        x = self.enter(x)
        if self.value and x.sum() > 0:
            x = -x
        return self.head(x.flatten(1))


@pytest.mark.parametrize("value", [False, True], ids=["", "decides by values"])
def test_large_guesses_are_found_without_values_first(value):
    graph = network.read(build(lambda: OfOneSize(224, value)))
    assert graph.example == "2 x 3 x 224 x 224"


def test_large_guesses_that_do_not_fit_are_not_computed():
    """No guess is of this size, and large images would need much memory in networks without strides."""
    seen = []

    class Noting(OfOneSize):
        def forward(self, x):
            seen.append(0 if x.is_meta or x.dim() < 4 else x.shape[-1])
            return super().forward(x)

    assert not network.read(build(lambda: Noting(37))).operations
    assert max(seen) < 100


def test_example_inputs_of_lightning_and_transformers_are_used():
    module = build(lambda: nn.Sequential(nn.Flatten(), nn.Linear(15, 2)))
    module.example_input_array = torch.zeros(1, 3, 5)
    assert network.read(module).example == "example_input_array"
    module = build(lambda: nn.Sequential(nn.Flatten(), nn.Linear(15, 2)))
    module.dummy_inputs = {"input": torch.zeros(1, 3, 5)}
    assert network.read(module).example == "dummy_inputs"


class SeveralInputs(nn.Module):
    """Take a table, and something else, each of a width of its own."""

    def __init__(self, second):
        super().__init__()
        self.table, self.second, self.head = nn.Linear(7, 6), second, nn.Linear(6, 2)

    def forward(self, table, other):
        return self.head(torch.relu(self.table(table)) + self.second(other))


class OfGraph(nn.Module):
    """Add to each node's values those of its neighbors."""

    def __init__(self):
        super().__init__()
        self.enter, self.head = nn.Linear(5, 6), nn.Linear(6, 2)

    def forward(self, x, edge_index):
        start, end = edge_index
        values = torch.relu(self.enter(x))
        return self.head(values.index_add(0, end, values[start]))


SEVERAL = {
    "two tables": (lambda: SeveralInputs(nn.Linear(11, 6)), "2 x 7 and 2 x 11"),
    "numbers of classes": (lambda: SeveralInputs(nn.Embedding(9, 6)), "2 x 7 and 2"),
    "images": (lambda: SeveralInputs(Flat(nn.Conv2d(3, 6, 3))), "2 x 7 and 2 x 3 x 32 x 32"),
    "edges": (OfGraph, "2 x 5"),
}


class Flat(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x).mean((2, 3))


@pytest.mark.parametrize("name", SEVERAL)
def test_networks_with_several_inputs_are_read_without_x(name):
    make, example = SEVERAL[name]
    graph = network.read(build(make))
    assert (graph.reading, graph.example, graph.activations) == ("forward pass", example, ["relu"])
    assert graph.to_frame()["kind"].tolist().count("input") == 2


def test_integers_are_tried_last():
    class OneHot(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(9, 2)

        def forward(self, words):
            return self.layer(nn.functional.one_hot(words, 9).float())

    assert network.read(build(OneHot)).example == "2"


def test_without_an_input_the_classes_of_layers_remain():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(3, 2)

        def forward(self, x, *, scale):
            return self.a(x) * scale

    assert network.read(build(Two)).reading == "layer classes"


def test_inputs_that_do_not_fit_a_large_network_are_tried_without_a_word():
    """torch logs an error for each function that fails on fake tensors."""

    class Expanded(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.steps = nn.Linear(3, 2), nn.Linear(1, 2)
            self.large = nn.Parameter(torch.empty(2**27))

        def forward(self, x, step):
            return self.layer(x) + self.steps(step.expand(len(x)).view(-1, 1).float())

    records = []
    handler = logging.Handler()
    handler.emit = records.append
    logger = logging.getLogger("torch._subclasses.fake_tensor")
    logger.addHandler(handler)
    try:
        assert network.read(build(Expanded).to(torch.float32)).example == "2 x 3 and 2"
        rows = torch.zeros(2, 3)
        with pytest.raises(ModuleError, match="expand"):
            network.read(build(Expanded).to(torch.float32), (rows, rows))
    finally:
        logger.removeHandler(handler)
    assert not records
    assert not logger.filters
