"""MetaInit."""

import copy

import numpy as np
import pytest
import torch

from initsk.initializers import (
    MetaInit,
    PerParameter,
    RandomNormal,
)
from initsk.network import MLP
from tests.helpers import batch, build
from tests.initializers.support import EXPLOSIVE, data, factors_of, fitted, fitted_copy, quotient, small, weights

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("n_steps", [1, 5])
def test_metainit_steps_against_the_slope_of_the_quotient(n_steps):
    X, y = data()
    module = fitted(small((4,)), "he_normal", X, y)
    norms = {name: w.norm().item() for name, w in weights(module).items()}
    velocity = dict.fromkeys(norms, 0.0)
    lr, momentum = 0.02, 0.5
    for _ in range(n_steps):
        slopes = {}
        for name in norms:
            sides = []
            for shift in (1e-6, -1e-6):
                moved = copy.deepcopy(module)
                with torch.no_grad():
                    weight = moved.get_parameter(name)
                    weight.mul_(1 + shift)
                sides.append(quotient(moved, X, y))
            slopes[name] = sides[0] - sides[1]
        for name, slope in slopes.items():
            velocity[name] = momentum * velocity[name] - lr * np.sign(slope)
            with torch.no_grad():
                weight = module.get_parameter(name)
                weight.mul_((weight.norm() + velocity[name]) / weight.norm())
    found = factors_of(small((4,)), MetaInit(lr=lr, momentum=momentum, n_steps=n_steps, batch_size=None), X, y)
    expected = {name: w.norm().item() / norms[name] for name, w in weights(module).items()}
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.slow
def test_metainit_lowers_the_quotient():
    X, y = data()
    for seed in range(3):
        before, after = (
            quotient(fitted(small((8, 8, 8, 8)), scheme, X, y, seed), X, y)
            for scheme in (EXPLOSIVE, MetaInit(EXPLOSIVE, lr=0.05, n_steps=100, batch_size=None))
        )
        assert after < before / 2


def test_metainit_norms_stay_above_zero():
    X, y = data()
    found = factors_of(small(), MetaInit(RandomNormal(0.01), lr=1.0, n_steps=5), X, y)
    # A step of 1 is much larger than these norms; the smallest factor is 0.01.
    assert min(found.values()) >= 0.01 * (1 - 1e-9)


def test_weights_of_zeros_do_not_change():
    X, y = batch(40, 6), torch.arange(40) % 3
    m = fitted_copy(
        build(lambda: MLP(6, 3, (8, 8), activation="tanh")),
        MetaInit(PerParameter([("z", "zeros", "hidden_2")]), n_steps=2),
        X,
        y,
    )
    assert all(torch.isfinite(p).all() for p in m.parameters())
    assert not m.hidden_2.weight.any()


def test_metainit_does_not_change_biases():
    X, y = batch(40, 6), torch.arange(40) % 3
    m, b = (
        fitted_copy(build(lambda: MLP(6, 3, (8,))), s, X, y)
        for s in (MetaInit("torch_default", n_steps=2), "torch_default")
    )
    assert torch.equal(m.hidden_1.bias, b.hidden_1.bias)
    assert not torch.equal(m.hidden_1.weight, b.hidden_1.weight)
