"""Residual branches of the reading: where shortcuts begin, and which layers a branch has."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from initsk import network
from tests.helpers import batch, build


class Query(nn.Module):
    """A query collects from the input: query + attend(query and input), then query + mlp(query)."""

    def __init__(self, learned=True, joined=True, normalized=False):
        super().__init__()
        self.stem, self.head = nn.Linear(5, 4), nn.Linear(4, 2)
        self.query = nn.Parameter(torch.randn(1, 1, 4)) if learned else None
        self.norm = nn.LayerNorm(4) if normalized else nn.Identity()
        self.q, self.k, self.v, self.o = (nn.Linear(4, 4) for _ in range(4))
        self.mlp = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 4))
        self.joined = joined

    def forward(self, x):
        x = self.stem(x)
        query = torch.zeros(len(x), 1, 4) if self.query is None else self.query.expand(len(x), -1, -1)
        start = self.norm(query)
        memory = torch.cat([start, x], dim=1) if self.joined else x
        found = functional.scaled_dot_product_attention(self.q(start), self.k(memory), self.v(memory))
        query = query + self.o(found)
        return self.head(query + self.mlp(query))


FORMS = [
    {},
    {"normalized": True},
    {"joined": False},
    {"learned": False},
    {"learned": False, "joined": False, "normalized": True},
]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_shortcut_may_begin_at_a_parameter_or_a_constant(form):
    graph = network.read(build(lambda: Query(**form)), batch(2, 3, 5))
    assert graph.n_branches == 2
    (start,) = [operation for operation in graph.operations if operation.kind in ("parameter", "constant")]
    assert start.kind == ("constant" if form.get("learned") is False else "parameter")
    assert start.constant
    assert not start.inputs
    assert graph.contexts["o.weight"].branch.is_last


def test_what_feeds_the_first_operation_of_a_branch_is_not_inside():
    graph = network.read(build(Query), batch(2, 3, 5))
    assert {name for name, context in graph.contexts.items() if context.branch is None} == {
        "stem.weight", "stem.bias", "head.weight", "head.bias",
    }  # fmt: skip


def test_a_parameter_that_is_a_signal_is_no_layer():
    graph = network.read(build(Query), batch(2, 3, 5))
    # stem, v, o and head; the query is no shorter path.
    assert graph.depth == 4


def test_positions_that_several_layers_add_are_no_shortcut():
    class Positions(nn.Module):
        def __init__(self):
            super().__init__()
            self.positions = nn.Parameter(torch.randn(3, 4))
            self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

        def forward(self, x):
            for layer in self.layers:
                x = torch.relu(layer(x + self.positions))
            return x

    graph = network.read(build(Positions), batch(1, 3, 4))
    assert graph.n_branches == 0
    assert "parameter" not in graph.to_frame()["kind"].tolist()


def test_a_projection_may_have_a_written_out_normalization():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.shortcut = nn.Linear(4, 8), nn.Linear(8, 6), nn.Linear(4, 6)
            self.register_buffer("scale", torch.rand(6))
            self.register_buffer("shift", torch.rand(6))

        def forward(self, x):
            branch = self.second(torch.relu(self.first(x)))
            return branch * self.scale + (self.shortcut(x) * self.scale + self.shift)

    assert network.read(build(Block), batch(2, 4)).n_branches == 1


class Recurrent(nn.Module):
    """A recurrent network by hand: each step adds two layers, of which neither is a shortcut."""

    def __init__(self):
        super().__init__()
        self.inward, self.own = nn.Linear(4, 8), nn.Linear(8, 8)

    def forward(self, x):
        state = torch.zeros(len(x), 8)
        for step in range(x.shape[1]):
            state = torch.tanh(self.inward(x[:, step]) + self.own(state))
        return state


class Gated(nn.Module):
    """A gated recurrent unit by hand (Cho et al. 2014): its reset gate gets a summand that does not pass its layer."""

    def __init__(self):
        super().__init__()
        self.inward, self.own = nn.Linear(4, 24), nn.Linear(8, 24)

    def forward(self, x):
        state = torch.zeros(len(x), 8)
        for step in range(x.shape[1]):
            inward, own = self.inward(x[:, step]), self.own(state)
            reset = torch.sigmoid(inward[:, :8] + own[:, :8])
            update = torch.sigmoid(inward[:, 8:16] + own[:, 8:16])
            state = update * state + (1 - update) * torch.tanh(inward[:, 16:] + reset * own[:, 16:])
        return state


@pytest.mark.parametrize("unit", [Recurrent, Gated])
def test_steps_of_a_recurrent_network_are_no_branches(unit):
    assert network.read(build(unit), batch(2, 5, 4)).n_branches == 0
