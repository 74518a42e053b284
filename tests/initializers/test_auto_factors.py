"""Rules of "auto" for what surrounds a layer in the graph: sums, products, conditions, scores, tables, outputs."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from initsk import initialize
from initsk.initializers import Zeros
from tests.helpers import batch, build, record, variance_fits


def mean_square(values):
    return float(values.detach().square().mean())


class SumOfNeighbours(nn.Module):
    """Each node adds up the values of its neighbours, three times."""

    def __init__(self, width=200):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(3))
        self.head = nn.Linear(width, 3)

    def forward(self, x, sender, receiver):
        for layer in self.layers:
            x = torch.relu(layer(torch.zeros_like(x).index_add(0, receiver, x[sender])))
        return self.head(x)


def ring(n_nodes, degree):
    """Return senders and receivers of a graph in which every node has the same number of neighbours."""
    receiver = torch.arange(n_nodes).repeat_interleave(degree)
    sender = (receiver + torch.arange(1, degree + 1).repeat(n_nodes)) % n_nodes
    return sender, receiver


@pytest.mark.parametrize("degree", [2, 8])
def test_sums_over_neighbours_do_not_grow_with_their_number(degree):
    X = (batch(60, 200), *ring(60, degree))
    module = build(SumOfNeighbours)
    initialize(module, "auto", X=X, random_state=0)
    inputs = []
    module.head.register_forward_hook(lambda layer, given, output: inputs.append(given[0]))
    with torch.no_grad():
        module(*X)
    # On a ring, neighbours have neighbours in common, so sums are larger. Without the factor, it would be degree^5.
    assert 0.3 < mean_square(inputs[0]) < 3


def test_sums_of_independent_values_grow_by_the_root_of_their_number():
    class Bag(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.layer, self.head = nn.Embedding(500, 200), nn.Linear(200, 200), nn.Linear(200, 2)

        def forward(self, words):
            return self.head(torch.relu(self.layer(self.table(words).sum(1))))

    module = build(Bag)
    initialize(module, "auto", X=torch.arange(480).reshape(30, 16), random_state=0)
    assert variance_fits(module.table.weight, 1.0)
    assert variance_fits(module.layer.weight, 2 / 16 / 200)


def test_weighted_sums_and_means_are_no_sums():
    class Mean(SumOfNeighbours):
        def forward(self, x, sender, receiver):
            for layer in self.layers:
                total = torch.zeros_like(x).index_add(0, receiver, 0.125 * x[sender])
                x = torch.relu(layer(total))
            return self.head(x)

    module = build(Mean)
    initialize(module, "auto", X=(batch(60, 200), *ring(60, 8)), random_state=0)
    assert variance_fits(module.layers[1].weight, 2 / 200)


class Conditioned(nn.Module):
    """A residual block with a scale, a shift and a gate that depend on a condition, as in DiT."""

    def __init__(self):
        super().__init__()
        self.embed, self.modulation = nn.Linear(3, 8), nn.Linear(8, 48)
        self.norm, self.up, self.down = nn.LayerNorm(16), nn.Linear(16, 64), nn.Linear(64, 16)
        self.head = nn.Linear(16, 16)

    def forward(self, x, condition):
        shift, scale, gate = self.modulation(F.silu(self.embed(condition))).chunk(3, dim=-1)
        x = x + gate * self.down(F.gelu(self.up(self.norm(x) * (1 + scale) + shift)))
        return self.head(x)


def test_modulation_by_a_condition_begins_as_the_identity():
    X = batch(20, 16), batch(20, 3)
    module = build(Conditioned)
    found = record(module, "auto", X=X)
    assert found.loc["modulation.weight", "initializer"] == repr(Zeros())
    assert found.loc["embed.weight", "std_after"] > 0
    assert torch.equal(module(*X), module.head(X[0]))


class Gated(nn.Module):
    """Products of functions of the same input, and of two inputs, that no layer may make zero."""

    def __init__(self, n_factors):
        super().__init__()
        self.factors = nn.ModuleList(nn.Linear(400, 400) for _ in range(n_factors))
        self.other, self.down = nn.Linear(3, 400), nn.Linear(400, 2)

    def forward(self, x, other):
        product = self.other(other)
        for layer in self.factors:
            product = product * layer(x)
        return self.down(product)


@pytest.mark.parametrize(("n_factors", "mean_of_power"), [(2, 15.0), (3, 105.0)])
def test_products_of_many_signals_begin_smaller(n_factors, mean_of_power):
    # The mean of x^6 is 15 for a normal x, and that of x^8 is 105.
    module = build(lambda: Gated(n_factors))
    initialize(module, "auto", X=(batch(20, 400), batch(20, 3)), random_state=0)
    degree = n_factors + 1
    for layer in module.factors:
        assert variance_fits(layer.weight, mean_of_power ** (-1 / degree) / 400)


def test_gates_of_two_signals_are_left_alone():
    module = build(lambda: Gated(1))
    found = record(module, "auto", X=(batch(20, 400), batch(20, 3)))
    for name in ("factors.0.weight", "other.weight"):
        assert found.loc[name, "initializer"] == "LeCunOrthogonal()"


class GatedBlock(nn.Module):
    """A residual branch after a normalization, with products of functions of the same input."""

    def __init__(self, n_factors):
        super().__init__()
        self.norm, self.down, self.head = nn.LayerNorm(400), nn.Linear(400, 400), nn.Linear(400, 2)
        self.factors = nn.ModuleList(nn.Linear(400, 400) for _ in range(n_factors))

    def forward(self, x):
        normalized = self.norm(x)
        product = self.factors[0](normalized)
        for layer in self.factors[1:]:
            product = product * layer(normalized)
        return self.head(x + self.down(product))


# The weights of a branch have the variance 0.4; products of degree 3 need at most 15^(-1/3), which is 0.405.
@pytest.mark.parametrize(("n_factors", "variance"), [(2, 0.4), (3, 0.4), (5, 945 ** (-1 / 5))])
def test_products_in_branches_take_their_small_weights_into_account(n_factors, variance):
    module = build(lambda: GatedBlock(n_factors))
    initialize(module, "auto", X=batch(20, 400), random_state=0)
    for layer in module.factors:
        assert variance_fits(layer.weight, variance / 400)


class Attention(nn.Module):
    """Attention with a table that is added to its scores."""

    def __init__(self, scale):
        super().__init__()
        self.q, self.k, self.v, self.out = (nn.Linear(256, 256) for _ in range(4))
        self.table, self.norm, self.scale = nn.Embedding(40, 4), nn.LayerNorm(256), scale

    def scores(self, x):
        q, k = (layer(x).unflatten(-1, (4, 64)).transpose(1, 2) for layer in (self.q, self.k))
        return q @ k.transpose(2, 3) if self.scale is None else q @ k.transpose(2, 3) * self.scale

    def forward(self, x):
        x = self.norm(x)
        places = torch.arange(x.shape[1])
        bias = self.table(places[:, None] - places[None, :] + 20).permute(2, 0, 1)
        v = self.v(x).unflatten(-1, (4, 64)).transpose(1, 2)
        return self.out((torch.softmax(self.scores(x) + bias, -1) @ v).transpose(1, 2).flatten(2))


@pytest.mark.parametrize("scale", [None, 1 / 8])
def test_scores_of_attention_have_the_variance_one_with_and_without_division(scale):
    X = batch(10, 12, 256)
    module = build(lambda: Attention(scale))
    initialize(module, "auto", X=X, random_state=0)
    # Over 14400 scores of 40 pairs of heads, which are far from independent.
    assert mean_square(module.scores(F.layer_norm(X, (256,)))) == pytest.approx(1, rel=0.25)
    assert mean_square(module.table.weight) == pytest.approx(0.02**2, rel=0.5)


class Words(nn.Module):
    """A table whose rows reach a recurrent layer; the head may share it."""

    def __init__(self, tied, norm=False, factor=None):
        super().__init__()
        self.factor = factor
        self.table, self.norm = nn.Embedding(500, 64), nn.LayerNorm(64) if norm else nn.Identity()
        self.rnn, self.head = nn.LSTM(64, 64, batch_first=True), nn.Linear(64, 500)
        if tied:
            self.head.weight = self.table.weight

    def forward(self, words):
        states = self.rnn(self.norm(self.table(words)))[0]
        return self.head(states if self.factor is None else states * self.factor)


@pytest.mark.parametrize(
    ("options", "variance"),
    [
        ({"tied": False}, 1.0),
        ({"tied": True}, 1 / 64),
        # T5 divides the states by the root of the width, before the head.
        ({"tied": True, "factor": 64**-0.5}, 1.0),
        ({"tied": False, "norm": True}, 1 / 64),
    ],
)
def test_rows_that_reach_a_layer_as_they_are_have_the_variance_one(options, variance):
    module = build(lambda: Words(**options))
    initialize(module, "auto", X=torch.arange(28).reshape(4, 7), random_state=0)
    assert variance_fits(module.table.weight, variance)


def test_a_function_that_makes_signals_larger_has_its_gain_in_the_first_layer_too():
    class SquaredReLU(nn.Module):
        def __init__(self):
            super().__init__()
            self.up, self.down = nn.Linear(300, 300), nn.Linear(300, 300)

        def forward(self, x):
            return x + self.down(torch.relu(self.up(x)).square())

    module = build(SquaredReLU)
    initialize(module, "auto", X=batch(20, 300), random_state=0)
    # The mean of relu(z)^4 is 3 / 2 for a normal z.
    assert variance_fits(module.up.weight, 2 / 3 / 300)
    # The output is the sum of the input and the branch, so it cannot begin small.
    assert variance_fits(module.down.weight, 1 / 300)


def test_outputs_begin_small_unless_they_are_small_or_normalized():
    class Normalized(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.last = nn.Linear(20, 400), nn.Linear(400, 300)

        def forward(self, x):
            return F.normalize(self.last(torch.relu(self.layer(x))), dim=-1)

    module = build(Normalized)
    initialize(module, "auto", X=batch(4, 20), random_state=0)
    assert variance_fits(module.last.weight, 1 / 400)
    module = build(lambda: Words(tied=False))
    initialize(module, "auto", X=torch.arange(28).reshape(4, 7), random_state=0)
    assert variance_fits(module.head.weight, 1 / 64)
    module = build(lambda: nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 300)))
    initialize(module, "auto", random_state=0)
    assert variance_fits(module[2].weight, 1 / 3 / 400)
    # For targets of variance 1, the mean square error is that of a constant prediction and a third.
    x = batch(100, 20)
    assert mean_square(module(x)) == pytest.approx(mean_square(x) / 3, rel=0.2)
