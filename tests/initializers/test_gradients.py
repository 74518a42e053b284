"""Properties that GradInit and MetaInit share."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import parametrizations

from initsk import initialize
from initsk.initializers import (
    GradInit,
    MetaInit,
)
from initsk.network import MLP
from tests.helpers import batch, build
from tests.initializers.support import EXPLOSIVE, data, digits, factors_of, fitted, fitted_copy, small, weights

pytestmark = pytest.mark.usefixtures("one_thread")


QUICK = [
    GradInit(n_steps=3),
    GradInit("torch_default", "adam", gamma=1.0, n_steps=3, batch_size=None),
    GradInit(algorithm="adam", n_steps=3),
    MetaInit(n_steps=2),
]


def test_repairs_weights_that_are_far_too_large():
    X, y = digits()

    def accuracy(initializer, seed):
        network = fitted(build(lambda: MLP(64, 10, (32, 32, 32))), initializer, X, y, seed)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        rows = torch.Generator().manual_seed(seed)
        for _ in range(80):
            chosen = torch.randint(len(X), (128,), generator=rows)
            optimizer.zero_grad()
            cross_entropy(network(X[chosen]), y[chosen]).backward()
            optimizer.step()
        with torch.no_grad():
            return (network(X).argmax(dim=1) == y).float().mean().item()

    schemes = EXPLOSIVE, GradInit(EXPLOSIVE, lr=0.02, n_steps=200), MetaInit(EXPLOSIVE, n_steps=80)
    before, gradinit, metainit = (np.mean([accuracy(scheme, seed) for seed in range(2)]) for scheme in schemes)
    assert gradinit > before + 0.4
    assert metainit > before + 0.1


@pytest.mark.parametrize("scheme", QUICK, ids=str)
def test_values_depend_on_the_random_state(scheme):
    X, y = data(400)
    first, again, other = (weights(fitted(small(), scheme, X, y, seed)) for seed in (3, 3, 4))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("scheme", QUICK, ids=str)
def test_gradients_buffers_and_modes_do_not_change(scheme):
    X, y = data()
    module = build(
        lambda: nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(), nn.Linear(8, 3)).double()
    )
    module[0].bias.requires_grad_(False)
    module[4].weight.grad = torch.full_like(module[4].weight, 7.0)
    module[1].eval()
    buffers = copy.deepcopy(dict(module.named_buffers()))
    frozen = module[0].bias.clone()
    for caller in (torch.enable_grad, torch.no_grad):
        with caller():
            fitted(module, scheme, X, y)
    assert module[4].weight.grad.unique().tolist() == [7.0]
    assert all(p.grad is None for p in module.parameters() if p is not module[4].weight)
    assert [name for name, p in module.named_parameters() if not p.requires_grad] == ["0.bias"]
    assert torch.equal(module[0].bias, frozen)
    assert [part.training for part in module] == [True, False, True, True, True]
    assert all(torch.equal(value, buffers[name]) for name, value in module.named_buffers())
    copy.deepcopy(module)


class Sequence(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(5, 4, padding_idx=0)
        self.lstm = nn.LSTM(4, 4, batch_first=True)
        self.attend = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
        self.head = nn.Linear(4, 5, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, tokens, mask=None):
        return self.head(self.attend(self.lstm(self.embed(tokens))[0]))


@pytest.mark.parametrize("scheme", QUICK, ids=str)
def test_recurrent_attention_and_tied_layers(scheme):
    tokens = torch.arange(120).reshape(20, 6) % 5
    module = build(Sequence)
    record = initialize(module, scheme, X={"tokens": tokens}, y=(tokens + 1) % 5, random_state=0).to_frame()
    assert record.set_index("name").loc["attend.self_attn.in_proj_weight", "why"].count("times") == 1
    assert not module.embed.weight[0].any()
    assert module.head.weight is module.embed.weight
    copy.deepcopy(module).eval()(tokens).sum().backward()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", QUICK, ids=str)
def test_other_types(scheme):
    X, y = data(8, 6)
    half = build(lambda: MLP(6, 3, (8,)).bfloat16())
    assert torch.isfinite(fitted(half, scheme, X, y).hidden_1.weight).all()

    def size(output, target):
        return (output.abs().square().sum(dim=1) - target).square().mean()

    waves = build(
        lambda: nn.Sequential(nn.Linear(6, 4, dtype=torch.complex128), nn.Linear(4, 1, dtype=torch.complex128))
    )
    factors_of(waves, copy.copy(scheme).set_params(criterion=size), X.to(torch.complex128), y)


@pytest.mark.parametrize("scheme", QUICK, ids=str)
def test_parametrized_weights_are_scaled_if_possible(scheme):
    X, y = data()

    def net():
        normed, rotated = parametrizations.weight_norm(nn.Linear(6, 6)), parametrizations.orthogonal(nn.Linear(6, 6))
        return nn.Sequential(normed, nn.Tanh(), rotated, nn.Tanh(), nn.Linear(6, 3)).double()

    module, base = build(net), fitted(build(net), scheme.base, X, y)
    record = initialize(module, scheme, X=X, y=y, random_state=0).to_frame().set_index("name")
    ratio = module[0].weight.detach() / base[0].weight.detach()
    torch.testing.assert_close(ratio, ratio[0, 0].expand_as(ratio))
    assert not np.isclose(ratio[0, 0].item(), 1)
    assert torch.equal(module[2].weight, base[2].weight)
    assert "does not pass a factor on" in record.loc["2.parametrizations.weight.original", "why"]


def factor(module, s, X, y, name):
    a, b = fitted_copy(module, s.base, X, y).get_parameter(name), fitted_copy(module, s, X, y).get_parameter(name)
    return float(b.detach().norm() / a.detach().norm())


def test_dropout_has_no_effect():
    X, y = batch(40, 6), torch.arange(40) % 3

    def f(drop):
        return build(lambda: nn.Sequential(nn.Linear(6, 8), drop, nn.Tanh(), nn.Linear(8, 3)))

    for s in (GradInit(n_steps=5), MetaInit(n_steps=3)):
        a, b = (fitted_copy(f(d), s, X, y) for d in (nn.Identity(), nn.Dropout(0.5)))
        assert torch.equal(a[0].weight, b[0].weight)


def test_batch_normalization_uses_the_batch():
    # If these running statistics were used, they would change the loss and the factors.
    X, y = 10 + 5 * batch(40, 6), torch.arange(40) % 3
    m = build(lambda: nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8, eps=1e-12), nn.Tanh(), nn.Linear(8, 3)).double())
    shifted = copy.deepcopy(m)
    shifted[1].running_mean.fill_(100.0)
    s = GradInit(n_steps=5)
    assert torch.equal(fitted_copy(m, s, X.double(), y)[3].weight, fitted_copy(shifted, s, X.double(), y)[3].weight)


def test_half_precision_gradients():
    X, y = batch(64, 6), torch.arange(64) % 3
    fine = build(lambda: MLP(6, 3, (8,)))
    rough = copy.deepcopy(fine).bfloat16()
    s = GradInit(n_steps=5, lr=0.05)
    f = [factor(m, s, X, y, "hidden_1.weight") for m in (fine, rough)]
    assert f[0] == pytest.approx(f[1], rel=0.02)
