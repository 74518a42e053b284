"""Siren."""

from math import sqrt

from initsk.initializers import (
    Siren,
)
from initsk.network import MLP
from tests.helpers import build, record


def test_default_of_siren():
    assert Siren() == Siren(omega_0=30.0)


def test_siren_has_a_separate_formula_for_the_first_layer():
    module = build(lambda: MLP(200, 3, (300, 300)))
    record(module, Siren(omega_0=10.0))
    first, second = module.hidden_1.weight.detach().abs().max(), module.hidden_2.weight.detach().abs().max()
    assert 0.99 / 200 < float(first) <= 1 / 200
    # The biases are torch's, U(-1 / sqrt(n), 1 / sqrt(n)).
    assert 0.95 / sqrt(300) < float(module.hidden_2.bias.detach().abs().max()) <= 1 / sqrt(300)
    assert 0.99 * sqrt(6 / 300) / 10 < float(second) <= sqrt(6 / 300) / 10
