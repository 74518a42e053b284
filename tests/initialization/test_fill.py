"""Filling of parameters: failures, roles and refinement."""

import copy

import pytest
import torch
from torch import nn

from initsk import initialize
from initsk.initializers import (
    ForgetGateBias,
    GradInit,
    PerParameter,
)
from initsk.network import MLP
from tests.helpers import batch, build, record


def test_an_interrupt_restores_all_parameters():
    m = build(lambda: MLP(4, 2, (3,)))
    before = copy.deepcopy(m.state_dict())

    def stop(*_):
        raise KeyboardInterrupt

    m.output.register_forward_hook(stop)
    with pytest.raises(KeyboardInterrupt):
        initialize(m, "lsuv", X=batch(20, 4))
    assert all(torch.equal(v, before[n]) for n, v in m.state_dict().items())


def test_a_failed_draw_restores_a_large_network():
    m = build(lambda: nn.ModuleDict({"a": nn.Linear(4097, 4096, bias=False), "b": nn.Linear(3, 3, bias=False)}))
    before = m["a"].weight[0].detach().clone()

    def fails(t):
        if t.shape == (3, 3):
            raise RuntimeError
        t.fill_(7.0)

    with pytest.raises(ValueError, match="failed on a tensor of shape"):
        initialize(m, fails)
    assert torch.equal(m["a"].weight[0], before)


def test_an_output_initializer_leaves_biases():
    m = build(lambda: MLP(3, 2, (4,)))
    record(m, "he_normal", output_initializer="ones")
    assert not m.output.bias.any()


def test_an_initializer_in_two_roles_refines_once():
    X, y = batch(40, 6), torch.arange(40) % 3
    s = GradInit(n_steps=2)
    assert (
        record(build(lambda: MLP(6, 3, (8,))), s, output_initializer=s, X=X, y=y)
        .loc["output.weight", "why"]
        .count("times")
        == 1
    )


@pytest.mark.parametrize(
    ("layer", "fan_in", "fan_out"),
    [
        (lambda: nn.Conv3d(4, 6, (1, 2, 3), groups=2), 2 * 6, 3 * 6),
        (lambda: nn.ConvTranspose2d(4, 6, 4, stride=2), 4 * 16 // 4, 6 * 16),
        (lambda: nn.Embedding(50, 9), 9, 9),
    ],
)
def test_expected_standard_deviation_by_hand(layer, fan_in, fan_out):
    row = record(build(layer), "glorot_uniform").loc["weight"]
    expected = (2 / (fan_in + fan_out)) ** 0.5
    assert row[["fan_in", "fan_out", "expected_std"]].tolist() == [fan_in, fan_out, pytest.approx(expected)]


def test_expected_standard_deviation_of_blocks_with_different_means():
    bias = record(build(lambda: nn.LSTM(3, 5)), "he_normal", bias_initializer=ForgetGateBias()).loc["bias_ih_l0"]
    # A quarter of the values is 1, and the others are 0.
    assert bias["expected_std"] == pytest.approx((1 / 4 * 3 / 4) ** 0.5)
    assert bias["std_after"] == pytest.approx(bias["expected_std"])


@pytest.mark.parametrize("rules", [[("first", "lsuv", "0")], [("last", "he_normal", "2")]])
def test_no_standard_deviation_is_expected_where_the_values_are_adjusted(rules):
    m = build(lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)))
    remainder = "he_normal" if rules[0][0] == "first" else "lsuv"
    found = record(m, PerParameter(rules, remainder), X=batch(20, 4))["expected_std"]
    assert found.isna()["0.weight"]
    assert found["2.weight"] == pytest.approx((2 / 8) ** 0.5)


def test_no_standard_deviation_is_expected_of_the_parts_of_a_parametrization():
    found = record(build(lambda: nn.utils.parametrizations.weight_norm(nn.Linear(4, 8))), "he_normal")
    parts = found.loc[found.index.str.contains("original")]
    assert len(parts) == 2
    assert (parts["fan_in"] == 4).all()
    assert parts["expected_std"].isna().all()
