"""Filling of parameters: failures, roles and refinement."""

import copy

import pytest
import torch
from torch import nn

from initsk import initialize
from initsk.initializers import (
    GradInit,
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
