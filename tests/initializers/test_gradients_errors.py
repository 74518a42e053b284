"""Errors of GradInit and MetaInit, and derivatives outside of autograd."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.functional import cross_entropy

from initsk import initialize
from initsk.exceptions import InvalidParameterError, ModuleError
from initsk.initializers import (
    GradInit,
    MetaInit,
    RandomNormal,
)
from tests.helpers import batch, build
from tests.initializers.support import GRADIENT_SCHEMES, data, fitted, small, values_of

pytestmark = pytest.mark.usefixtures("one_thread")


class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g):
        return g


class Stubborn(nn.Sequential):
    def forward(self, x):
        return Once.apply(super().forward(x))


class Idle(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.unused = nn.Linear(6, 3), nn.Linear(6, 3)

    def forward(self, x):
        return self.used(x)


class Unnamed(nn.Linear):
    def forward(self, x):
        scores = super().forward(x)
        return {"a": scores, "b": scores}


def detached(output, target):
    return cross_entropy(output.detach(), target)


def constant(output, target):
    return (output * 0).sum()


def each(output, target):
    return cross_entropy(output, target, reduction="none")


X, Y = data(10)


LINEAR = lambda: nn.Linear(6, 3)  # noqa: E731


ERRORS = [
    (LINEAR, {}, X.where(X[0, 0] != X, float("nan")), Y, "X holds NaN"),
    (lambda: nn.Linear(6, 1), {}, X, X[:, 0] / 0, "y holds infinity"),
    (LINEAR, {}, X, Y + 2, "labels 2 to 4, but the module gives 3 scores"),
    (LINEAR, {}, X, Y[:7], "y of shape .7,. does not fit"),
    (LINEAR, {"batch_size": 4}, X, Y[:7], "y has 7 rows, and no part of X has as many"),
    (LINEAR, {}, X, X, "allowed: the same shape"),
    (lambda: Unnamed(6, 3), {}, X, Y, r"returns dict with a \(tensor of shape \(10, 3\)\), .*, not a tensor"),
    (LINEAR, {"base": RandomNormal(1e30)}, X.double() * 1e300, Y, "the loss is .*, not finite"),
    (Idle, {}, X, Y, "does not depend on unused.weight"),
    (LINEAR, {"criterion": detached}, X, Y, "the loss has no gradient"),
    (LINEAR, {"criterion": constant}, X, Y, "zero for every parameter"),
    (LINEAR, {"criterion": each}, X, Y, r"a value of shape \(10,\)"),
    (lambda: Stubborn(nn.Linear(6, 3)), {}, X, Y, "more than once.*once_differentiable"),
]


@pytest.mark.parametrize("scheme", GRADIENT_SCHEMES, ids=str)
@pytest.mark.parametrize(("factory", "parameters", "X", "y", "words"), ERRORS, ids=[fault[-1] for fault in ERRORS])
def test_errors_are_explained_and_the_module_does_not_change(scheme, factory, parameters, X, y, words):
    module = build(lambda: factory().double())
    before = values_of(module)
    with pytest.raises(ModuleError, match=words):
        fitted(module, copy.copy(scheme).set_params(**parameters), X, y)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in module.parameters())
    assert all(part.training for part in module.modules())


@pytest.mark.parametrize("scheme", GRADIENT_SCHEMES, ids=str)
def test_a_batch_with_targets_is_needed(scheme):
    for given in ({}, {"X": X}, {"y": Y}):
        with pytest.raises(InvalidParameterError, match="needs a batch"):
            initialize(small(), scheme, **given)


@pytest.mark.parametrize(
    ("scheme", "words"),
    [
        (GradInit(algorithm="lamb", eta=0, min_scale=0), r"algorithm='lamb'|eta=0 .*min_scale=0"),
        (GradInit(criterion=nn.CrossEntropyLoss, batch_size=1), r"batch_size=1 .*criterion="),
        (MetaInit(momentum=1, eps=0), r"momentum=1 is not allowed \(a finite number >= 0 and < 1\).*eps=0"),
        (MetaInit(momentum="0.9"), "momentum='0.9'"),
    ],
    ids=str,
)
def test_wrong_parameters(scheme, words):
    with pytest.raises(InvalidParameterError, match=words):
        initialize(small(), scheme, X=X, y=Y)


def test_slopes_that_are_not_finite_raise():
    class Root(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(2, 2, bias=False)

        def forward(self, x):
            return self.a(x)

    X, y = batch(10, 2), torch.arange(10) % 2

    def loss(out, t):
        return functional.cross_entropy(out, t) + (out - out.detach()).abs().sum().pow(1.5)

    # The derivative of x^1.5 is finite at 0; its second derivative is not.
    m = build(Root)
    before = copy.deepcopy(m.state_dict())
    with pytest.raises(ModuleError, match="not finite"):
        initialize(m, MetaInit(n_steps=1, criterion=loss), X=X, y=y, random_state=0)
    assert torch.equal(m.a.weight, before["a.weight"])
