"""Initializers that follow activation functions."""

import math

import pytest
from scipy import stats
from torch import nn

from initsk.initializers import (
    EdgeOfChaos,
)
from initsk.network import MLP
from tests.helpers import RARE, build, record, variance_fits


def test_auto_gives_embeddings_the_variance_of_their_width():
    m = build(lambda: nn.Embedding(500, 60))
    record(m, "auto")
    assert variance_fits(m.weight, 1 / 60)


@pytest.mark.parametrize("distribution", ["uniform", "orthogonal", "truncated_normal"])
def test_edge_of_chaos_has_normal_biases(distribution):
    m = build(lambda: nn.Linear(4, 20000))
    record(m, EdgeOfChaos("tanh", 0.05, distribution))
    assert stats.kstest(m.bias.detach().numpy(), stats.norm(0, math.sqrt(0.05)).cdf).pvalue > RARE


def test_edge_of_chaos_keeps_its_function_when_the_module_is_read():
    m = build(lambda: MLP(300, 3, (400,), activation="relu"))
    record(m, EdgeOfChaos("tanh"), output_initializer="zeros")
    assert variance_fits(m.hidden_1.weight, 1 / 300)
