"""GradInit."""

import copy

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy, mse_loss

from initsk import initialize
from initsk.initializers import (
    LSUV,
    GradInit,
    HeNormal,
    PerParameter,
    RandomNormal,
    Zeros,
)
from initsk.network import MLP
from tests.helpers import batch, build, record
from tests.initializers.support import EXPLOSIVE, data, digits, factors_of, fitted, fitted_copy, small, weights

pytestmark = pytest.mark.usefixtures("one_thread")


def losses(module, X, y):
    """Return a function of factors of the weights and of a step, which returns the loss."""
    values = {name: p.detach() for name, p in module.named_parameters()}

    def at(factors, step=None):
        scaled = {name: value * factors.get(name, 1.0) for name, value in values.items()}
        if step is not None:
            scaled = {name: value - step[name] for name, value in scaled.items()}
        return cross_entropy(functional_call(module, scaled, (X,)), y), scaled

    return at


def gradient(loss, values):
    return torch.autograd.grad(loss, list(values.values()), create_graph=True)


def norm_and_loss_after_step(module, X, y, algorithm="sgd", eta=0.1):
    loss, values = losses(copy.deepcopy(module).requires_grad_(False), X, y)({})
    values = {name: value.clone().requires_grad_() for name, value in values.items()}
    loss = cross_entropy(functional_call(module, values, (X,)), y)
    g = dict(zip(values, torch.autograd.grad(loss, list(values.values())), strict=True))
    if algorithm == "adam":
        norm, step = sum(v.abs().sum() for v in g.values()), {n: eta * v.sign() for n, v in g.items()}
    else:
        norm = torch.cat([v.flatten() for v in g.values()]).norm()
        step = {n: eta * v / norm for n, v in g.items()}
    with torch.no_grad():
        return norm.item(), losses(module, X, y)({}, step)[0].item()


@pytest.mark.parametrize("algorithm", ["sgd", "adam"])
def test_gradinit_follows_adam_on_the_norm_or_the_loss_after_the_step(algorithm):
    X, y = data()
    module = fitted(small(), "he_normal", X, y)
    # Between the norms that occur, so that both kinds of steps occur.
    gamma, eta, lr, n_steps = {"sgd": 0.55, "adam": 3.5}[algorithm], 0.05, 0.03, 30
    at = losses(module, X, y)
    m = {name: torch.ones((), dtype=torch.float64, requires_grad=True) for name in weights(module)}
    optimizers = [torch.optim.Adam(list(m.values()), lr=lr) for _ in range(2)]
    kinds = set()
    for _ in range(n_steps):
        values = {name: p.detach() * m.get(name, 1.0) for name, p in module.named_parameters()}
        values = {name: v if v.requires_grad else v.requires_grad_() for name, v in values.items()}
        g = gradient(cross_entropy(functional_call(module, values, (X,)), y), values)
        sizes = torch.cat([part.flatten() for part in g])
        norm = sizes.abs().sum() if algorithm == "adam" else sizes.norm()
        outside = bool(norm > gamma)
        step = [part.detach().sign() if algorithm == "adam" else (part / norm).detach() for part in g]
        goal = norm if outside else at(m, {n: eta * s for n, s in zip(values, step, strict=True)})[0] / eta
        for scale, slope in zip(m.values(), torch.autograd.grad(goal, list(m.values())), strict=True):
            scale.grad = slope.clamp(-1, 1)
        optimizers[outside].step()
        kinds.add(outside)
    assert kinds == {True, False}
    scheme = GradInit("he_normal", algorithm, eta=eta, gamma=gamma, lr=lr, n_steps=n_steps, batch_size=None)
    expected = {name: scale.item() for name, scale in m.items()}
    assert factors_of(small(), scheme, X, y) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("algorithm", ["sgd", "adam"])
def test_gradinit_lowers_the_loss_after_a_step_and_the_norm(algorithm):
    X, y = digits()
    network = build(lambda: MLP(64, 10, (32, 32)))
    base = fitted(copy.deepcopy(network), EXPLOSIVE, X, y)
    eta, gamma = {"sgd": (0.1, 1.0), "adam": (0.001, 100.0)}[algorithm]
    scheme = GradInit(EXPLOSIVE, algorithm, gamma=gamma, lr=0.05, n_steps=120)
    factors = factors_of(network, scheme, X, y)
    norm_before, loss_before = norm_and_loss_after_step(base, X, y, algorithm, eta)
    norm, loss = norm_and_loss_after_step(network, X, y, algorithm, eta)
    assert loss < loss_before / 2
    assert norm_before > 5 * gamma
    # The bound holds for the minibatches up to the last step.
    assert norm < 1.5 * gamma
    assert min(factors.values()) >= 0.01 * (1 - 1e-6)


def test_factors_have_a_floor():
    X, y = data()
    found = factors_of(small(), GradInit(RandomNormal(5.0), lr=0.5, n_steps=20, min_scale=0.25), X, y)
    assert min(found.values()) == pytest.approx(0.25)


def test_biases_of_a_bias_initializer_do_not_change():
    X, y = data()
    module = small()
    initialize(module, GradInit(n_steps=3), X=X, y=y, bias_initializer="ones", random_state=0)
    assert module.hidden_1.bias.unique().tolist() == [1.0]


def test_part_of_a_network():
    X, y = data()
    mixed = PerParameter([("first", GradInit(n_steps=3), "hidden_1")], remainder="he_normal")
    module, base = fitted(small(), mixed, X, y), fitted(small(), "he_normal", X, y)
    assert torch.equal(module.hidden_2.weight, base.hidden_2.weight)
    assert not torch.equal(module.hidden_1.weight, base.hidden_1.weight)


@pytest.mark.parametrize("shape", [(40,), (40, 1)])
def test_float_targets_mean_squared_error(shape):
    X, _ = data(40)
    y = X[:, 0].reshape(shape)

    def squares(output, target):
        return mse_loss(output, target.reshape(40, 1))

    module = build(lambda: MLP(6, 1, (8,)).double())
    same = [
        weights(fitted(copy.deepcopy(module), GradInit(n_steps=3, criterion=loss), X, y)) for loss in (None, squares)
    ]
    assert all(torch.equal(same[0][name], same[1][name]) for name in same[0])


def test_weights_of_zeros_do_not_change():
    module = fitted(small(), GradInit(PerParameter([("last", Zeros(), "output")], HeNormal()), n_steps=2), *data(10))
    assert not module.output.weight.any()


def test_default_step_of_gradinit():
    for a, e, g in (("sgd", 0.1, 1.0), ("adam", 0.001, None)):
        X, y = batch(40, 6), torch.arange(40) % 3
        out = []
        for s in (
            GradInit(algorithm=a, n_steps=8, lr=0.05),
            GradInit(algorithm=a, n_steps=8, lr=0.05, eta=e, gamma=g or 1e30),
        ):
            m = build(lambda: MLP(6, 3, (8,)))
            initialize(m, s, X=X, y=y, random_state=0)
            out.append(m.hidden_1.weight.detach().clone())
        assert torch.equal(*out)


def test_default_bound_of_gradinit():
    # The gradients of the base have norms between 1 and 10.
    for a, e, g in (("sgd", 0.1, 1.0), ("adam", 0.001, 1e30)):
        X, y = batch(40, 6), torch.arange(40) % 3
        out = []
        for s in (
            GradInit(RandomNormal(1.0), algorithm=a, n_steps=8, lr=0.05),
            GradInit(RandomNormal(1.0), algorithm=a, n_steps=8, lr=0.05, eta=e, gamma=g),
        ):
            m = build(lambda: MLP(6, 3, (8,)))
            initialize(m, s, X=X, y=y, random_state=0)
            out.append(m.hidden_1.weight.detach().clone())
        assert torch.equal(*out)


def test_defaults_of_gradinit():
    assert GradInit() == GradInit("he_normal", "sgd", None, None, 0.01, 390, 0.01, 128, None)


def test_frozen_parameters_are_constants():
    # The norm of the gradient does not include a frozen parameter.
    X, y = batch(40, 6).double(), torch.arange(40) % 3

    class Const(nn.Module):
        def __init__(self, frozen):
            super().__init__()
            self.a, self.b = nn.Linear(6, 8, bias=False), nn.Linear(8, 3, bias=False)
            c = torch.ones(3, dtype=torch.float64)
            if frozen:
                self.c = nn.Parameter(c, requires_grad=False)
            else:
                self.register_buffer("c", c)

        def forward(self, x):
            return self.b(torch.tanh(self.a(x))) + self.c

    ms = [
        fitted_copy(
            build(lambda f=f: Const(f).double()), GradInit(n_steps=20, gamma=0.5, lr=0.05, batch_size=None), X, y
        )
        for f in (True, False)
    ]
    assert torch.equal(ms[0].a.weight, ms[1].a.weight)


def test_the_base_refines_first_and_both_are_noted():
    X, y = batch(40, 6), torch.arange(40) % 3
    m = build(lambda: MLP(6, 3, (8,)))
    r = record(m, GradInit(LSUV(), n_steps=1), X=X, y=y)
    assert "LSUV" in r.loc["hidden_1.weight", "why"]
    assert "GradInit" in r.loc["hidden_1.weight", "why"]
