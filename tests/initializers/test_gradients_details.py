"""What the schemes that follow gradients do with layers, rows and frozen parameters."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from initsk import initialize
from initsk.exceptions import ModuleError
from initsk.initializers import LSUV, GradInit, MetaInit, PerParameter, RandomNormal
from initsk.network import MLP
from tests.helpers import batch, build, record


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
    # a base with gradients of norm between 1 and 10
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


def gradinit(module, s, X, y):
    m = copy.deepcopy(module)
    initialize(m, s, X=X, y=y, random_state=0)
    return m


def factor(module, s, X, y, name):
    a, b = gradinit(module, s.base, X, y).get_parameter(name), gradinit(module, s, X, y).get_parameter(name)
    return float(b.detach().norm() / a.detach().norm())


def test_dropout_is_off():
    X, y = batch(40, 6), torch.arange(40) % 3

    def f(drop):
        return build(lambda: nn.Sequential(nn.Linear(6, 8), drop, nn.Tanh(), nn.Linear(8, 3)))

    for s in (GradInit(n_steps=5), MetaInit(n_steps=3)):
        a, b = (gradinit(f(d), s, X, y) for d in (nn.Identity(), nn.Dropout(0.5)))
        assert torch.equal(a[0].weight, b[0].weight)


def test_batch_normalisation_uses_the_batch():
    # Running statistics far from the batch's would change the loss, and so the factors.
    X, y = 10 + 5 * batch(40, 6), torch.arange(40) % 3
    m = build(lambda: nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8, eps=1e-12), nn.Tanh(), nn.Linear(8, 3)).double())
    shifted = copy.deepcopy(m)
    shifted[1].running_mean.fill_(100.0)
    s = GradInit(n_steps=5)
    assert torch.equal(gradinit(m, s, X.double(), y)[3].weight, gradinit(shifted, s, X.double(), y)[3].weight)


def test_tensors_of_zeros_stay():
    X, y = batch(40, 6), torch.arange(40) % 3
    m = gradinit(
        build(lambda: MLP(6, 3, (8, 8), activation="tanh")),
        MetaInit(PerParameter([("z", "zeros", "hidden_2")]), n_steps=2),
        X,
        y,
    )
    assert all(torch.isfinite(p).all() for p in m.parameters())
    assert not m.hidden_2.weight.any()


def test_minibatches_of_named_arguments():
    class Named(MLP):
        def forward(self, x):
            return super().forward(x)

    X, y = batch(40, 6), torch.arange(40) % 3
    a = build(lambda: Named(6, 3, (8,)))
    b = copy.deepcopy(a)
    s = GradInit(n_steps=3, batch_size=8)
    initialize(a, s, X={"x": X}, y=y, random_state=0)
    initialize(b, s, X=X, y=y, random_state=0)
    assert torch.equal(a.hidden_1.weight, b.hidden_1.weight)


def test_frozen_parameters_are_constants():
    # A frozen parameter takes no part in the norm: as if it were a constant of the network.
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
        gradinit(build(lambda f=f: Const(f).double()), GradInit(n_steps=20, gamma=0.5, lr=0.05, batch_size=None), X, y)
        for f in (True, False)
    ]
    assert torch.equal(ms[0].a.weight, ms[1].a.weight)


def test_slopes_that_are_not_finite():
    class Root(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(2, 2, bias=False)

        def forward(self, x):
            return self.a(x)

    X, y = batch(10, 2), torch.arange(10) % 2

    def loss(out, t):
        return functional.cross_entropy(out, t) + (out - out.detach()).abs().sum().pow(1.5)

    # d/dx x^1.5 is finite at 0, its derivative is not
    m = build(Root)
    before = copy.deepcopy(m.state_dict())
    with pytest.raises(ModuleError, match="not finite"):
        initialize(m, MetaInit(n_steps=1, criterion=loss), X=X, y=y, random_state=0)
    assert torch.equal(m.a.weight, before["a.weight"])


def test_the_base_refines_first_and_both_are_noted():
    X, y = batch(40, 6), torch.arange(40) % 3
    m = build(lambda: MLP(6, 3, (8,)))
    r = record(m, GradInit(LSUV(), n_steps=1), X=X, y=y)
    assert "LSUV" in r.loc["hidden_1.weight", "why"]
    assert "GradInit" in r.loc["hidden_1.weight", "why"]


def rows_seen_by(scheme):
    """Return the rows of each minibatch that the loss is asked for; their targets are their numbers."""
    seen = []

    def loss(out, t):
        seen.append(t.tolist())
        return (out.squeeze() - t).square().mean()

    X, y = batch(40, 3), torch.arange(40.0)
    module = build(lambda: nn.Linear(3, 1))
    initialize(module, scheme.set_params(criterion=loss), X=X, y=y, random_state=0)
    return seen


def test_one_half_of_the_rows_is_kept():
    # The second call of a step sees one half of the first call's rows, and a fresh half.
    seen = rows_seen_by(GradInit(gamma=1e30, n_steps=1, batch_size=8))
    first, second = map(set, seen)
    assert len(second) == 8
    assert len(first & second) == 4


def test_an_epoch_has_every_row_once():
    seen = rows_seen_by(MetaInit(n_steps=5, batch_size=8))
    rows = [row for part in seen for row in part]
    assert sorted(rows) == list(range(40))
    assert rows != sorted(rows)


def test_half_precision_gradients():
    X, y = batch(64, 6), torch.arange(64) % 3
    fine = build(lambda: MLP(6, 3, (8,)))
    rough = copy.deepcopy(fine).bfloat16()
    s = GradInit(n_steps=5, lr=0.05)
    f = [factor(m, s, X, y, "hidden_1.weight") for m in (fine, rough)]
    assert f[0] == pytest.approx(f[1], rel=0.02)


def test_metainit_leaves_biases():
    X, y = batch(40, 6), torch.arange(40) % 3
    m, b = (
        gradinit(build(lambda: MLP(6, 3, (8,))), s, X, y)
        for s in (MetaInit("torch_default", n_steps=2), "torch_default")
    )
    assert torch.equal(m.hidden_1.bias, b.hidden_1.bias)
    assert not torch.equal(m.hidden_1.weight, b.hidden_1.weight)
