"""Parameters of modules: blocks, frozen and unknown parameters."""

import copy

import pytest
import torch
from torch import nn

from initsk import initialize
from initsk.initializers import (
    Constant,
    PerParameter,
)
from tests.helpers import batch, build, record


def test_frozen_parameters_stay():
    m = build(lambda: nn.utils.parametrizations.weight_norm(nn.Linear(3, 3)))
    m.parametrizations.weight.original0.requires_grad_(False)
    before = copy.deepcopy(m.state_dict())
    r = record(m, "he_normal")
    assert torch.equal(m.parametrizations.weight.original0, before["parametrizations.weight.original0"])
    assert r["why"].str.contains("frozen").any()


def test_added_keys_and_values_of_attention_are_biases():
    m = build(lambda: nn.MultiheadAttention(6, 2, add_bias_kv=True))
    r = record(m, "he_normal")
    assert r.loc["bias_k", ["role", "fan_in", "touched"]].tolist() == ["bias", 6, True]
    assert not m.bias_k.any()


def test_projections_of_attention_are_drawn_separately():
    m = build(lambda: nn.MultiheadAttention(2, 1))
    record(
        m,
        PerParameter(
            [
                (n, Constant(v), lambda s, n=n: s.block == n and s.role == "weight")
                for n, v in zip("qkv", (1.0, 2.0, 3.0), strict=False)
            ]
        ),
    )
    assert m.in_proj_weight[:, 0].tolist() == [1, 1, 2, 2, 3, 3]


def test_the_record_has_the_standard_deviation_before():
    m = build(lambda: nn.Linear(40, 30))
    std = float(m.weight.detach().std(correction=0))
    assert record(m, "he_normal").loc["weight", "std_before"] == pytest.approx(std, rel=1e-5)


def test_biases_of_normalizations_stay():
    m = build(lambda: nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3), nn.PReLU()))
    r = record(m, "he_normal", bias_initializer="ones")
    assert not m[1].bias.any()
    assert not r.loc["1.bias", "touched"]
    assert bool((m[0].bias == 1).all())


def test_unknown_parameters_of_known_layers_stay():
    class More(nn.LSTM):
        def __init__(self):
            super().__init__(3, 4)
            self.extra = nn.Parameter(torch.ones(3, 3))

    m = build(More)
    r = record(m, "he_normal")
    assert not r.loc["extra", "touched"]
    assert bool((m.extra == 1).all())


class RecurrentCell(nn.Module):
    """``relu(x W + h U + b)``, and a table of positions that is added to two products."""

    def __init__(self):
        super().__init__()
        self.w, self.u = nn.Parameter(torch.randn(3, 5)), nn.Parameter(torch.randn(5, 5))
        self.v = nn.Parameter(torch.randn(5, 6))
        self.b, self.first = nn.Parameter(torch.randn(5)), nn.Parameter(torch.randn(5))
        self.table, self.column = nn.Parameter(torch.randn(6, 5)), nn.Parameter(torch.randn(5, 1))

    def forward(self, x):
        h = x.new_zeros(len(x), 5)
        for step in x.unbind(1):
            h = torch.relu(step @ self.w + h @ self.u + self.b)
        h = torch.tanh(self.first + (h @ self.u + x[:, 0] @ self.w))
        tokens = h[:, None].expand(-1, 5, -1) @ self.u + x[:, :5] @ self.w + self.column
        return tokens.mean(1) @ self.v + (x[:, :6] @ self.w + self.table).sum((1, 2))[:, None]


def test_a_bias_behind_a_sum_of_products_is_a_bias():
    m = build(RecurrentCell)
    r = record(m, "he_normal", X=torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0)))
    assert r.loc[["b", "first"], "role"].tolist() == ["bias", "bias"]
    assert not m.b.any()
    assert not m.first.any()
    assert (
        r.loc[["table", "column"], ["outcome", "why"]].to_numpy().tolist() == [["kept", "is added to the signal"]] * 2
    )
    record(m, "he_normal", X=torch.zeros(2, 6, 3), bias_initializer="ones")
    assert bool((m.b == 1).all())


class Relations(nn.Module):
    """A weight for each of three relations, whose products are added up before the bias."""

    def __init__(self):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(3, 4, 5)), nn.Parameter(torch.randn(5))

    def forward(self, x):
        return sum(x @ self.weight[k] for k in range(3)) + self.bias


def test_a_bias_behind_the_sum_of_several_blocks_has_the_units_of_one():
    frame = initialize(build(Relations), "he_normal", X=batch(2, 4)).to_frame().set_index("name")
    assert frame.loc["bias", ["outcome", "role"]].tolist() == ["filled", "bias"]
    assert frame.loc["weight", ["fan_in", "fan_out"]].tolist() == [4, 5]
